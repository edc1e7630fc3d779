-- What the daemon asks beside settling: claim and release, and the small talk (announce, backlog, prepare_months).
-- The database's clock decides what is due and when a lease ends; C passes durations only.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- Takes the oldest due rows of each channel, up to its limit, under a lease and one new token. One statement.
-- Its cost depends on the rows it takes, never on the rows there are. The settings leave the planner one way: down
-- the index of due times; neither stale statistics nor a tiny table may teach it another.
CREATE FUNCTION claim(p_instance text, p_channels text[], p_limits integer[], p_lease_ms bigint)
RETURNS TABLE (attempt_id bigint, token uuid, claimed_us bigint, order_no text, channel text, number text,
               channel_data text, amount_minor bigint, currency text, method text, age_ms bigint, left_ms bigint,
               phase text, answers integer, errors integer, unknowns integer, claims integer)
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
  UPDATE lost_order AS l
  SET due_at     = lease_end,
      token      = fence,
      claimed_at = moment,
      claimed_by = p_instance,
      claims     = l.claims + 1
  WHERE l.ctid = ANY (ARRAY(
    SELECT oldest.spot
    FROM unnest(p_channels, p_limits) AS wanted (channel, row_limit)
    CROSS JOIN LATERAL (
      SELECT o.ctid AS spot
      FROM lost_order AS o
      WHERE o.channel = wanted.channel AND o.due_at <= moment
      ORDER BY o.due_at
      LIMIT wanted.row_limit
      FOR UPDATE SKIP LOCKED
    ) AS oldest))
  RETURNING l.attempt_id, l.token, moment_us, l.order_no::text, l.channel::text, l.number::text,
            l.channel_data::text, l.amount_minor::bigint, l.currency::text, l.method::text,
            (date_part('epoch', moment - l.created_at) * 1000)::bigint,
            (date_part('epoch', l.expires_at - moment) * 1000)::bigint,
            l.phase::text, l.answers, l.errors, l.unknowns, l.claims;
END
$$;

-- Gives rows back unasked: due now, as if they had not been claimed. Returns how many were still ours.
CREATE FUNCTION release(p_attempt bigint[], p_token uuid[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  released integer;
BEGIN
  WITH ours AS MATERIALIZED (
    SELECT l.attempt_id
    FROM (SELECT unnest(p_attempt) AS attempt_id, unnest(p_token) AS token) AS e
    JOIN lost_order AS l ON l.attempt_id = e.attempt_id AND l.token = e.token
    FOR UPDATE OF l SKIP LOCKED
  )
  UPDATE lost_order AS l
  SET due_at = clock_timestamp(), token = NULL, claims = greatest(l.claims - 1, 0)
  FROM ours
  WHERE l.attempt_id = ours.attempt_id;
  GET DIAGNOSTICS released = ROW_COUNT;
  RETURN released;
END
$$;

-- The channels of a daemon's configuration, for track(). In order of name, so that two daemons never cross.
CREATE FUNCTION announce(p_channels text[], p_first_delay_ms bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
  INSERT INTO channel AS c (name, first_delay_ms)
  SELECT a.name, a.first_delay_ms FROM unnest(p_channels, p_first_delay_ms) AS a (name, first_delay_ms)
  ORDER BY a.name
  ON CONFLICT (name) DO UPDATE SET first_delay_ms = excluded.first_delay_ms, announced_at = now()
$$;

-- Counts exactly up to 10,000 rows and estimates beyond, so it may be asked every few seconds. p_index: of the rows to
-- count, where only those of a partial index are meant.
CREATE FUNCTION counted(p_table regclass, p_index regclass DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  rows bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM (SELECT FROM %s %s LIMIT 10001) AS found', p_table,
                 (SELECT 'WHERE ' || pg_get_expr(i.indpred, i.indrelid) FROM pg_index AS i WHERE i.indexrelid = p_index))
  INTO rows;
  IF rows > 10000 THEN
    SELECT greatest(rows, c.reltuples::bigint) INTO rows FROM pg_class AS c WHERE c.oid = coalesce(p_index, p_table);
  END IF;
  RETURN rows;
END
$$;

-- How much waits (not the tail: those orders are closed), how much is parked, and for how long the oldest due row has
-- been due (0: nothing is due).
CREATE FUNCTION backlog() RETURNS TABLE (waiting bigint, parked bigint, oldest_age_ms bigint)
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, makegood, pg_temp SET enable_seqscan = off SET jit = off
AS $$
  -- Hops along the index from channel to channel: the first row of each is its oldest.
  WITH RECURSIVE first_due AS (
    (SELECT l.channel, l.due_at FROM lost_order AS l ORDER BY l.channel, l.due_at LIMIT 1)
    UNION ALL
    SELECT next.channel, next.due_at
    FROM first_due
    CROSS JOIN LATERAL (SELECT l.channel, l.due_at FROM lost_order AS l WHERE l.channel > first_due.channel
                        ORDER BY l.channel, l.due_at LIMIT 1) AS next
  )
  SELECT greatest(counted('lost_order') - counted('lost_order', 'lost_order_tail'), 0), counted('parked_order'),
         greatest(0, coalesce((extract(epoch FROM clock_timestamp() - min(first_due.due_at)) * 1000)::bigint, 0))
  FROM first_due
$$;

-- The audit's partitions for this month and the next two. A month that can not be made now (somebody reads the
-- default partition, or rows lie there already) is left to the default partition and to the next call.
CREATE FUNCTION prepare_months() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, makegood, pg_temp SET lock_timeout = '1s' SET timezone = 'UTC'
AS $$
DECLARE
  month timestamptz;
  named text;
BEGIN
  FOR month IN
    SELECT generate_series(date_trunc('month', now()), date_trunc('month', now()) + interval '2 months', '1 month')
  LOOP
    named := 'query_log_' || to_char(month, 'YYYY_MM');
    CONTINUE WHEN to_regclass('makegood.' || named) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE TABLE makegood.%I PARTITION OF makegood.query_log FOR VALUES FROM (%L) TO (%L)',
                     named, month, month + interval '1 month');
      EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON makegood.%I FROM makegood_owner', named);
    EXCEPTION WHEN lock_not_available OR check_violation OR duplicate_table THEN
      RAISE WARNING 'makegood.prepare_months: % can not be made now (%); its rows go to query_log_default',
                    named, SQLERRM;
    END;
  END LOOP;
END
$$;

SELECT prepare_months();

RESET ROLE;
