-- Waking: a claim also tells when the next row is due, so that a daemon sleeps until then instead of scanning. What becomes
-- due earlier than that announces itself; only then, because commits that notify wait for each other in the whole cluster.
-- An insert that commits while a claim looks may be missed: daemons also scan now and then.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- Until when the daemons sleep, by their last claim; -infinity: they are awake. Not logged: after a crash of the server they
-- come back and say it anew.
CREATE UNLOGGED TABLE wake (
  channel channel_name PRIMARY KEY,
  due_at  timestamptz NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Whoever goes takes the announcements along, so that nobody notifies nobody; who stays announces with the next claim.
CREATE OR REPLACE FUNCTION leave(p_instance text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
  UPDATE instance AS i SET seen_at = '-infinity', lanes = '{}' WHERE i.name = p_instance;
  DELETE FROM wake AS w WHERE w.ctid = ANY (ARRAY(SELECT o.ctid FROM wake AS o FOR UPDATE SKIP LOCKED))
$$;

-- As claim_told(). With p_sleeps also a row for each channel that has any row left, with nothing but its name and in how
-- many milliseconds the next one is due (0: some were due already and are not given), which is then announced. Who is
-- awake within 50 ms again announces nothing.
-- A claim that a crash of the server forgets was none, its answers are fenced: nobody waits for it to be on disk.
CREATE FUNCTION claim_due(p_instance text, p_channels text[], p_limits integer[], p_lease_ms bigint, p_sleeps boolean)
RETURNS TABLE (attempt_id bigint, token uuid, claimed_us bigint, order_no text, channel text, number text,
               channel_data text, amount_minor bigint, currency text, method text, age_ms bigint, left_ms bigint,
               phase text, answers integer, errors integer, unknowns integer, claims integer, late_ms bigint,
               next_ms bigint)
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
  PERFORM set_config('synchronous_commit', 'off', true);
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
            (date_part('epoch', moment - chosen.due_at) * 1000)::bigint, NULL::bigint;
  IF p_sleeps THEN
    RETURN QUERY
    SELECT NULL::bigint, NULL::uuid, NULL::bigint, NULL, n.channel, NULL, NULL, NULL::bigint, NULL, NULL, NULL::bigint,
           NULL::bigint, NULL, NULL::integer, NULL::integer, NULL::integer, NULL::integer, NULL::bigint,
           CASE WHEN n.due_at > moment
                THEN greatest(ceil(date_part('epoch', n.due_at - clock_timestamp()) * 1000)::bigint, 1) ELSE 0 END
    FROM sleep_announce(p_channels, moment) AS n;
  END IF;
END
$$;

-- When the oldest row of each channel is due.
CREATE FUNCTION sleep_announce(p_channels text[], p_moment timestamptz) RETURNS TABLE (channel text, due_at timestamptz)
LANGUAGE plpgsql ROWS 10 SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  channels text[];
  dues     timestamptz[];
BEGIN
  SELECT array_agg(c.channel), array_agg((SELECT o.due_at FROM lost_order AS o WHERE o.channel = c.channel
                                          ORDER BY o.due_at LIMIT 1))
  INTO channels, dues
  FROM unnest(p_channels) AS c (channel);
  INSERT INTO wake (channel, due_at)
  SELECT c.channel, 'infinity' FROM unnest(channels) AS c (channel)
  WHERE NOT EXISTS (SELECT FROM wake AS w WHERE w.channel = c.channel)
  ON CONFLICT DO NOTHING;
  -- What another daemon announces at this moment is as good.
  UPDATE wake AS w SET due_at = n.due_at
  FROM (SELECT w.ctid AS spot, n.due_at
        FROM (SELECT n.channel, CASE WHEN n.due_at <= p_moment + interval '50 milliseconds' THEN '-infinity'
                                     ELSE coalesce(n.due_at, 'infinity') END AS due_at
              FROM unnest(channels, dues) AS n (channel, due_at)) AS n
        JOIN wake AS w ON w.channel = n.channel AND w.due_at <> n.due_at
        FOR UPDATE OF w SKIP LOCKED) AS n
  WHERE w.ctid = n.spot;
  RETURN QUERY SELECT n.channel, n.due_at FROM unnest(channels, dues) AS n (channel, due_at) WHERE n.due_at IS NOT NULL;
END
$$;

-- A row of this channel is due then: before the daemons wake up?
CREATE FUNCTION wake_up(p_channel text, p_due_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM wake AS w WHERE w.channel = p_channel AND w.due_at > p_due_at) THEN
    PERFORM pg_notify('makegood_due', p_channel);
  END IF;
END
$$;

-- Operators are rare: whatever they did, daemons look at once.
CREATE FUNCTION steer_all() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  PERFORM pg_notify('makegood_steer', '');
  RETURN NULL;
END
$$;
CREATE TRIGGER steer_all AFTER INSERT ON operator_log FOR EACH STATEMENT EXECUTE FUNCTION steer_all();

-- What the shop calls keeps its identity and announces what it did; a trigger on lost_order would have to wait for every
-- shop that holds a row of it, and they for the migration.
DO $$
DECLARE
  pair record;
BEGIN
  FOR pair IN SELECT * FROM (VALUES ('track', 'track_attempt'), ('adopt', 'adopt_orders')) AS p (name, copy) LOOP
    EXECUTE replace(pg_get_functiondef(format('makegood.%I', pair.name)::regproc),
                    format('FUNCTION makegood.%I(', pair.name), format('FUNCTION makegood.%I(', pair.copy));
  END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION track(p_order_no text, p_channel text, p_amount_minor bigint, p_currency text,
                                 p_number text DEFAULT NULL, p_attempt text DEFAULT '', p_method text DEFAULT NULL,
                                 p_channel_data jsonb DEFAULT NULL, p_expires_at timestamptz DEFAULT NULL,
                                 p_due_in interval DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  tracked bigint := track_attempt(p_order_no, p_channel, p_amount_minor, p_currency, p_number, p_attempt, p_method,
                                  p_channel_data, p_expires_at, p_due_in);
BEGIN
  PERFORM wake_up(p_channel, clock_timestamp() + coalesce(p_due_in, first_delay(p_channel)));
  RETURN tracked;
END
$$;

CREATE OR REPLACE FUNCTION adopt(p_since interval, p_channel text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  adopted bigint := adopt_orders(p_since, p_channel);
BEGIN
  PERFORM wake_up(c.name, clock_timestamp() + first_delay(c.name)) FROM channel AS c;
  RETURN adopted;
END
$$;

-- As before; what the shop closed is asked once more at once.
CREATE OR REPLACE FUNCTION order_seen(p_order_no text, p_status text, p_status_before text, p_channel text, p_number text,
                                      p_amount_minor bigint, p_currency text, p_expires_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  shop        mapping;
  ended_count bigint;
BEGIN
  SELECT m.* INTO STRICT shop FROM mapping AS m;
  IF p_status = ANY (shop.unpaid) THEN
    IF p_channel IS NOT NULL THEN
      PERFORM track(p_order_no, p_channel, p_amount_minor, p_currency, p_number, p_expires_at => p_expires_at);
    END IF;
  ELSIF p_status = ANY (shop.paid_here) AND NOT coalesce(p_status_before = ANY (shop.paid_here), false) THEN
    IF p_channel IS NOT NULL THEN
      PERFORM resolve(p_order_no, p_channel, p_number);
    END IF;
  ELSIF p_status = ANY (shop.closed_here) THEN
    WITH ended AS (
      UPDATE lost_order AS l
      SET expires_at = least(l.expires_at, now()),
          due_at     = CASE WHEN l.token IS NULL THEN least(l.due_at, now()) ELSE l.due_at END
      WHERE l.order_no = p_order_no AND l.phase <> 'tail'
      RETURNING l.channel, l.due_at
    )
    SELECT count(wake_up(e.channel, e.due_at)::text) INTO ended_count FROM ended AS e;
  END IF;
END
$$;

-- As before, but what was parked while the shop tracked it anew is one attempt with two rows: both go.
CREATE OR REPLACE FUNCTION resolve_attempts(p_order_no text, p_channel text, p_number text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  exact    bigint[]; -- carry the number that the notification names
  possible bigint[]; -- could be meant ...
  attempts bigint;   -- ... and are rows of so many attempts
  notes    bigint[]; -- of what could not be tracked: no attempts, they count where there is none
  gone     integer;
BEGIN
  IF p_order_no IS NULL OR p_channel IS NULL THEN
    RAISE EXCEPTION 'makegood.resolve: the order number or the channel is missing; give both'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  -- A settlement of these rows that is under way comes first: it may park one of them.
  PERFORM FROM lost_order AS l WHERE l.order_no = p_order_no AND l.channel = p_channel FOR UPDATE;

  SELECT array_agg(a.attempt_id) FILTER (WHERE a.number = p_number),
         array_agg(a.attempt_id) FILTER (WHERE (a.number IS NULL OR p_number IS NULL) AND NOT a.is_note),
         count(DISTINCT a.attempt) FILTER (WHERE (a.number IS NULL OR p_number IS NULL) AND NOT a.is_note),
         array_agg(a.attempt_id) FILTER (WHERE a.is_note)
    INTO exact, possible, attempts, notes
  FROM (SELECT l.attempt_id, l.number, l.attempt::text, false AS is_note FROM lost_order AS l
        WHERE l.order_no = p_order_no AND l.channel = p_channel
        UNION ALL
        SELECT p.attempt_id, p.number, p.attempt, p.reason = 'untrackable' FROM parked_order AS p
        WHERE p.order_no = p_order_no AND coalesce(p.channel, p_channel) = p_channel) AS a;

  IF exact IS NULL AND attempts > 1 THEN
    RAISE EXCEPTION 'makegood.resolve: order % has % attempts on channel % that could be meant; give the number '
                    'that the notification names as p_number, and give it to makegood.track before',
                    p_order_no, attempts, p_channel
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  WITH lost AS (DELETE FROM lost_order AS l WHERE l.attempt_id = ANY (coalesce(exact, possible, notes)) RETURNING 1),
       parked AS (DELETE FROM parked_order AS p WHERE p.attempt_id = ANY (coalesce(exact, possible, notes)) RETURNING 1)
  SELECT (SELECT count(*) FROM lost) + (SELECT count(*) FROM parked) INTO gone;
  RETURN gone;
END
$$;

-- What daemons of older releases call.
CREATE OR REPLACE FUNCTION claim_told(p_instance text, p_channels text[], p_limits integer[], p_lease_ms bigint)
RETURNS TABLE (attempt_id bigint, token uuid, claimed_us bigint, order_no text, channel text, number text,
               channel_data text, amount_minor bigint, currency text, method text, age_ms bigint, left_ms bigint,
               phase text, answers integer, errors integer, unknowns integer, claims integer, late_ms bigint)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500 SET search_path = pg_catalog, makegood, pg_temp
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
  RETURN QUERY
  SELECT c.attempt_id, c.token, c.claimed_us, c.order_no, c.channel, c.number, c.channel_data, c.amount_minor, c.currency,
         c.method, c.age_ms, c.left_ms, c.phase, c.answers, c.errors, c.unknowns, c.claims, c.late_ms
  FROM claim_due(p_instance, p_channels, p_limits, p_lease_ms, false) AS c;
END
$$;

CREATE OR REPLACE FUNCTION daemon_functions() RETURNS TABLE (name text, id oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT p.proname::text, p.oid FROM pg_proc AS p
  WHERE p.pronamespace = 'makegood'::regnamespace
    AND p.proname IN ('claim', 'claim_told', 'claim_due', 'settle', 'release', 'announce', 'verify', 'backlog',
                      'prepare_months', 'adopt', 'rehearse', 'beat', 'leave')
$$;

GRANT EXECUTE ON FUNCTION claim_due(text, text[], integer[], bigint, boolean) TO makegood_daemon;
GRANT SELECT ON wake TO makegood_operator, makegood_reader;

RESET ROLE;
