-- Claiming tells as well for how long an order had been due, so that it can be measured how late it is asked about. What
-- daemons of the first release call stays as it was.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- In the order of claim(), and late_ms. A channel that is held back gives nothing. The materialized list is made once,
-- whatever the plan: each of its rows is locked.
CREATE FUNCTION claim_told(p_instance text, p_channels text[], p_limits integer[], p_lease_ms bigint)
RETURNS TABLE (attempt_id bigint, token uuid, claimed_us bigint, order_no text, channel text, number text,
               channel_data text, amount_minor bigint, currency text, method text, age_ms bigint, left_ms bigint,
               phase text, answers integer, errors integer, unknowns integer, claims integer, late_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500
SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_sort = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  moment    timestamptz := clock_timestamp();
  moment_us bigint := date_part('epoch', moment) * 1000000;
  lease_end timestamptz := moment + p_lease_ms * interval '1 millisecond';
  fence     uuid := gen_random_uuid();
BEGIN
  RETURN QUERY
  WITH chosen AS MATERIALIZED (
    SELECT oldest.spot, oldest.due_at
    FROM unnest(p_channels, p_limits) AS wanted (channel, row_limit)
    CROSS JOIN LATERAL (
      SELECT o.ctid AS spot, o.due_at
      FROM lost_order AS o
      WHERE o.channel = wanted.channel AND o.due_at <= moment
      ORDER BY o.due_at
      LIMIT wanted.row_limit
      FOR UPDATE SKIP LOCKED
    ) AS oldest
    WHERE NOT EXISTS (SELECT FROM paused_channel AS p WHERE p.channel = wanted.channel AND p.paused_until > moment)
      AND NOT EXISTS (SELECT FROM steering AS s WHERE s.halted_at IS NOT NULL)
  )
  UPDATE lost_order AS l
  SET due_at     = lease_end,
      token      = fence,
      claimed_at = moment,
      claimed_by = p_instance,
      claims     = l.claims + 1
  FROM chosen
  WHERE l.ctid = chosen.spot
  RETURNING l.attempt_id, l.token, moment_us, l.order_no::text, l.channel::text, l.number::text,
            l.channel_data::text, l.amount_minor::bigint, l.currency::text, l.method::text,
            (date_part('epoch', moment - l.created_at) * 1000)::bigint,
            (date_part('epoch', l.expires_at - moment) * 1000)::bigint,
            l.phase::text, l.answers, l.errors, l.unknowns, l.claims,
            (date_part('epoch', moment - chosen.due_at) * 1000)::bigint;
END
$$;

CREATE OR REPLACE FUNCTION claim(p_instance text, p_channels text[], p_limits integer[], p_lease_ms bigint)
RETURNS TABLE (attempt_id bigint, token uuid, claimed_us bigint, order_no text, channel text, number text,
               channel_data text, amount_minor bigint, currency text, method text, age_ms bigint, left_ms bigint,
               phase text, answers integer, errors integer, unknowns integer, claims integer)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500 SET search_path = pg_catalog, makegood, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN QUERY
  SELECT c.attempt_id, c.token, c.claimed_us, c.order_no, c.channel, c.number, c.channel_data, c.amount_minor, c.currency,
         c.method, c.age_ms, c.left_ms, c.phase, c.answers, c.errors, c.unknowns, c.claims
  FROM claim_told(p_instance, p_channels, p_limits, p_lease_ms) AS c;
END
$$;
DROP FUNCTION claim_due(text, text[], integer[], bigint);

CREATE OR REPLACE FUNCTION daemon_functions() RETURNS TABLE (name text, id oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT p.proname::text, p.oid FROM pg_proc AS p
  WHERE p.pronamespace = 'makegood'::regnamespace
    AND p.proname IN ('claim', 'claim_told', 'settle', 'release', 'announce', 'verify', 'backlog', 'prepare_months',
                      'adopt', 'rehearse', 'beat', 'leave')
$$;

GRANT EXECUTE ON FUNCTION claim_told(text, text[], integer[], bigint) TO makegood_daemon;

RESET ROLE;
