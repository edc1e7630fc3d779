-- Steering: which daemons live, what operators hold back, and the guards before claim and settle that obey it. Held back
-- by rows, not by the daemons: every instance obeys at once, also one of an older release.
--
-- Functions that are replaced keep their signature and their identity: daemons that run meanwhile go on.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- ---- words ----

CREATE DOMAIN note_text AS text CHECK (octet_length(VALUE) <= 1000);

-- A daemon that has beaten lately lives. Updated every second, so its page has room.
CREATE TABLE instance (
  name       text PRIMARY KEY,
  version    text        NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at    timestamptz NOT NULL,
  period_ms  bigint      NOT NULL CHECK (period_ms > 0), -- it beats that often
  lanes      jsonb       NOT NULL                        -- by channel: its counters since it started, its breaker, ...
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- A paused channel is not claimed from; nor is any while all is halted, and then nothing ends either. A table of its own:
-- columns of `channel` would need a lock that waits for every transaction of the shop that tracks.
CREATE TABLE paused_channel (
  channel      channel_name PRIMARY KEY,
  paused_until timestamptz NOT NULL,                -- infinity: until resumed
  paused_by    text        NOT NULL,
  paused_note  note_text   NOT NULL
);

CREATE TABLE steering (
  only_one      boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  halted_at     timestamptz,                        -- null: not halted
  halted_by     text,
  halted_note   note_text,
  approve_above numeric CHECK (approve_above >= 0)  -- in units of the currency; null: nobody has to approve
);
INSERT INTO steering DEFAULT VALUES;

-- What operators did, and why; written once.
CREATE TABLE operator_log (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  who        text        NOT NULL DEFAULT session_user,
  action     text        NOT NULL,
  order_no   text,
  channel    text,
  attempt_id bigint,
  note       text        NOT NULL,
  detail     text        NOT NULL DEFAULT ''
);
CREATE INDEX operator_log_order ON operator_log (order_no);
CREATE FUNCTION operator_log_is_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION 'makegood.operator_log is never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER operator_log_is_final BEFORE UPDATE OR DELETE ON operator_log
  FOR EACH ROW EXECUTE FUNCTION operator_log_is_final();
REVOKE UPDATE, DELETE, TRUNCATE ON operator_log FROM makegood_owner;

-- What came of it, by slots of five minutes: the daemons' counters and the shop's word, added up by their beats.
CREATE TABLE tally (
  slot         timestamptz NOT NULL,
  channel      text        NOT NULL,
  queries      bigint      NOT NULL DEFAULT 0,
  answers      bigint      NOT NULL DEFAULT 0,
  faults       bigint      NOT NULL DEFAULT 0,
  paid         bigint      NOT NULL DEFAULT 0,      -- by makegood
  ended        bigint      NOT NULL DEFAULT 0,      -- by makegood: paid, closed and refunded
  paid_by_shop bigint      NOT NULL DEFAULT 0,      -- the notification did arrive
  waiting      bigint,                              -- at the slot's beginning
  PRIMARY KEY (slot, channel)
);
-- The shop's word since the last beat.
CREATE TABLE shop_word (channel text NOT NULL)
WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

CREATE FUNCTION slot_of(p_moment timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$
  SELECT 'epoch'::timestamptz + floor(extract(epoch FROM p_moment) / 300) * interval '300 seconds'
$$;

-- ---- beating ----

-- What one counter of a channel has grown by since the last beat; a smaller one began anew.
CREATE FUNCTION grown(p_old jsonb, p_new jsonb, p_counter text) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN n.count >= o.count THEN n.count - o.count ELSE n.count END
  FROM (SELECT coalesce((p_old ->> p_counter)::bigint, 0)) AS o (count),
       (SELECT coalesce((p_new ->> p_counter)::bigint, 0)) AS n (count)
$$;

-- Adds up what was done since the last beat. With p_first, once a slot, also how many wait, up to 100,001 of a channel.
-- One statement, in order of channels, so that two daemons never cross.
CREATE FUNCTION tally_add(p_slot timestamptz, p_old jsonb, p_new jsonb, p_first boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  WITH said AS (
    DELETE FROM shop_word AS w
    WHERE w.ctid = ANY (ARRAY(SELECT s.ctid FROM shop_word AS s LIMIT 10000 FOR UPDATE SKIP LOCKED))
    RETURNING w.channel
  ), shop AS (
    SELECT s.channel, count(*) AS paid FROM said AS s GROUP BY s.channel
  ), ours AS (
    SELECT l.key AS channel, grown(p_old -> l.key, l.value, 'queries') AS queries,
           grown(p_old -> l.key, l.value, 'answers') AS answers, grown(p_old -> l.key, l.value, 'faults') AS faults,
           grown(p_old -> l.key, l.value, 'paid') AS paid, grown(p_old -> l.key, l.value, 'ended') AS ended
    FROM jsonb_each(p_new) AS l
  ), backlog AS (
    SELECT c.name::text AS channel,
           (SELECT count(*) FROM (SELECT FROM lost_order AS l
                                  WHERE l.channel = c.name AND l.phase <> 'tail' LIMIT 100001) AS found) AS waiting
    FROM channel AS c
    WHERE p_first AND NOT EXISTS (SELECT FROM tally AS t WHERE t.slot = p_slot AND t.waiting IS NOT NULL)
  )
  INSERT INTO tally AS t (slot, channel, queries, answers, faults, paid, ended, paid_by_shop, waiting)
  SELECT p_slot, channel, coalesce(o.queries, 0), coalesce(o.answers, 0), coalesce(o.faults, 0), coalesce(o.paid, 0),
         coalesce(o.ended, 0), coalesce(s.paid, 0), b.waiting
  FROM ours AS o FULL JOIN shop AS s USING (channel) FULL JOIN backlog AS b USING (channel)
  WHERE o.queries > 0 OR o.ended > 0 OR o.answers > 0 OR o.faults > 0 OR s.paid > 0 OR b.waiting IS NOT NULL
  ORDER BY channel COLLATE "C"
  ON CONFLICT (slot, channel) DO UPDATE
  SET queries = t.queries + excluded.queries, answers = t.answers + excluded.answers,
      faults = t.faults + excluded.faults, paid = t.paid + excluded.paid, ended = t.ended + excluded.ended,
      paid_by_shop = t.paid_by_shop + excluded.paid_by_shop, waiting = coalesce(t.waiting, excluded.waiting);
END
$$;

-- Who missed five beats is taken for dead; and so is who beats in the future: the clock was set back.
CREATE FUNCTION lives(p_instance instance, p_moment timestamptz) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT p_instance.seen_at > p_moment - 5 * p_instance.period_ms * interval '1 millisecond'
     AND p_instance.seen_at < p_moment + 5 * p_instance.period_ms * interval '1 millisecond'
$$;

-- What is too old to be of use: tallies after eight days, instances after one.
CREATE FUNCTION forget_old(p_moment timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  DELETE FROM tally AS t
  WHERE t.ctid = ANY (ARRAY(SELECT o.ctid FROM tally AS o WHERE o.slot < p_moment - interval '8 days'
                            FOR UPDATE SKIP LOCKED));
  DELETE FROM instance AS i
  WHERE i.ctid = ANY (ARRAY(SELECT o.ctid FROM instance AS o WHERE o.seen_at < p_moment - interval '1 day'
                            FOR UPDATE SKIP LOCKED));
END
$$;

-- The instance's row says what it says now; returns what it said before. A daemon that begins says so by counters that
-- are zero.
CREATE FUNCTION instance_says(p_instance text, p_version text, p_period_ms bigint, p_lanes jsonb, p_moment timestamptz)
RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  before instance;
BEGIN
  INSERT INTO instance AS i (name, version, started_at, seen_at, period_ms, lanes)
  VALUES (p_instance, p_version, p_moment, p_moment, p_period_ms, '{}') ON CONFLICT (name) DO NOTHING;
  -- One after the other: what a beat has counted whose answer was lost is not counted again.
  SELECT i.* INTO before FROM instance AS i WHERE i.name = p_instance FOR UPDATE;
  UPDATE instance AS i
  SET version = p_version, seen_at = p_moment, period_ms = p_period_ms, lanes = p_lanes,
      started_at = CASE WHEN isfinite(before.seen_at) AND NOT began_anew(before.lanes, p_lanes) THEN i.started_at
                        ELSE p_moment END
  WHERE i.name = p_instance;
  RETURN before.lanes;
END
$$;

CREATE FUNCTION began_anew(p_old jsonb, p_new jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM jsonb_each(p_old) AS o
                 WHERE (p_new -> o.key ->> 'queries')::bigint < (o.value ->> 'queries')::bigint)
$$;

-- A daemon says that it lives and what it has done, and hears its place among the living (0 is the first), how many
-- they are, and what is held back. It speaks up every p_period_ms.
CREATE FUNCTION beat(p_instance text, p_version text, p_period_ms bigint, p_lanes jsonb)
RETURNS TABLE (place integer, living integer, halted boolean, paused text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
AS $$
DECLARE
  moment timestamptz := clock_timestamp();
  before jsonb := instance_says(p_instance, p_version, p_period_ms, p_lanes, moment);
BEGIN
  SELECT count(*) FILTER (WHERE i.name < p_instance), count(*) INTO place, living
  FROM instance AS i WHERE i.name = p_instance OR lives(i, moment);
  PERFORM tally_add(slot_of(moment), before, p_lanes, place = 0);
  IF place = 0 THEN
    PERFORM forget_old(moment);
  END IF;
  halted := (SELECT s.halted_at IS NOT NULL FROM steering AS s);
  paused := ARRAY(SELECT p.channel::text FROM paused_channel AS p WHERE p.paused_until > moment ORDER BY p.channel);
  RETURN NEXT;
END
$$;

-- A daemon that stops leaves its share to the others at once.
CREATE FUNCTION leave(p_instance text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
  UPDATE instance AS i SET seen_at = '-infinity', lanes = '{}' WHERE i.name = p_instance
$$;

-- ---- guards ----

-- settle and its like as they were, under names of their own; what daemons call keeps its identity and gets a guard.
DO $$
DECLARE
  pair record;
BEGIN
  FOR pair IN SELECT * FROM (VALUES ('settle', 'settle_batch'), ('resolve', 'resolve_attempts'), ('verify', 'verify_exactly'))
                            AS p (name, copy) LOOP
    EXECUTE replace(pg_get_functiondef(format('makegood.%I', pair.name)::regproc),
                    format('FUNCTION makegood.%I(', pair.name), format('FUNCTION makegood.%I(', pair.copy));
  END LOOP;
END
$$;

-- As claim(), and for how long each order had been due, so that it can be measured how late it is asked about. A channel
-- that is held back gives nothing. The materialized list is made once,
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

-- What daemons of the first release call.
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

-- Whether orders may end, until this transaction ends: halt() waits for those that asked and were told yes, and whoever
-- asks while it waits is told no. Nothing here waits.
CREATE FUNCTION may_end() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  IF NOT pg_try_advisory_xact_lock_shared(hashtextextended('makegood.halt', 0)) THEN
    RETURN false;
  END IF;
  RETURN (SELECT s.halted_at IS NULL FROM steering AS s); -- a later statement: it sees what halt() has committed
END
$$;

-- While all is halted nothing ends: what would have ended, or been parked, goes back as it came, the audit tells, and the
-- daemon hears that it was fenced.
CREATE OR REPLACE FUNCTION settle(
  p_instance text, p_attempt bigint[], p_token uuid[], p_claimed_us bigint[], p_order_no text[], p_channel text[],
  p_number text[], p_verdict text[], p_reason text[], p_rule text[], p_due_in_ms bigint[], p_phase text[],
  p_late boolean[], p_answers integer[], p_errors integer[], p_unknowns integer[], p_evidence text[],
  p_authentic boolean[], p_amount bigint[], p_currency text[], p_channel_number text[], p_code text[],
  p_channel_rule text[], p_http integer[], p_latency_ms integer[], p_digest text[], p_asked text[], p_request_id text[],
  p_last boolean[], p_detail text[])
RETURNS TABLE (place integer, upto integer, outcome text, reason text)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500 SET search_path = pg_catalog, makegood, pg_temp
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  held_back boolean[];
BEGIN
  IF NOT may_end() THEN
    SELECT array_agg(e.ends), array_agg(CASE WHEN e.ends THEN 'retry' ELSE e.verdict END),
           array_agg(CASE WHEN e.ends THEN '' ELSE e.reason END),
           array_agg(CASE WHEN e.ends THEN 'halted' ELSE e.rule END),
           array_agg(CASE WHEN e.ends THEN NULL ELSE e.due_in_ms END),
           array_agg(CASE WHEN e.ends THEN NULL ELSE e.phase END),
           array_agg(CASE WHEN e.ends THEN NULL ELSE e.answers END),
           array_agg(CASE WHEN e.ends THEN NULL ELSE e.errors END),
           array_agg(CASE WHEN e.ends THEN NULL ELSE e.unknowns END),
           array_agg(CASE WHEN e.ends THEN format('instead of %s by %s', e.verdict, e.rule) ELSE e.detail END)
    INTO held_back, p_verdict, p_reason, p_rule, p_due_in_ms, p_phase, p_answers, p_errors, p_unknowns, p_detail
    FROM (SELECT e.*, e.verdict NOT IN ('retry', 'close') AS ends
          FROM (SELECT unnest(p_verdict) AS verdict, unnest(p_reason) AS reason, unnest(p_rule) AS rule,
                       unnest(p_due_in_ms) AS due_in_ms, unnest(p_phase) AS phase, unnest(p_answers) AS answers,
                       unnest(p_errors) AS errors, unnest(p_unknowns) AS unknowns, unnest(p_detail) AS detail) AS e
         ) AS e;
  END IF;
  RETURN QUERY
  SELECT told.place, told.upto, told.outcome, told.reason
  FROM settle_batch(
    p_instance, p_attempt, p_token, p_claimed_us, p_order_no, p_channel, p_number, p_verdict, p_reason, p_rule,
    p_due_in_ms, p_phase, p_late, p_answers, p_errors, p_unknowns, p_evidence, p_authentic, p_amount, p_currency,
    p_channel_number, p_code, p_channel_rule, p_http, p_latency_ms, p_digest, p_asked, p_request_id, p_last, p_detail)
    AS s
  CROSS JOIN LATERAL (
    SELECT s.place, s.upto, s.outcome, s.reason WHERE held_back IS NULL
    UNION ALL
    SELECT e.place, e.place, CASE WHEN held_back[e.place] AND s.outcome = 'applied'
                                       AND was_halted(p_order_no[e.place], p_claimed_us[e.place], p_token[e.place],
                                                      p_attempt[e.place]) THEN 'fenced' ELSE s.outcome END, s.reason
    FROM generate_series(s.place, s.upto) AS e (place) WHERE held_back IS NOT NULL) AS told;
END
$$;

-- The claim was settled while all was halted: not before, or this would be the repeat of what was applied then. Volatile:
-- it sees what the statement that calls it has written.
CREATE FUNCTION was_halted(p_order_no text, p_claimed_us bigint, p_token uuid, p_attempt bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM query_log AS q
                 WHERE q.order_no = p_order_no AND q.token = p_token AND q.attempt_id = p_attempt AND q.rule = 'halted'
                   AND q.claimed_at = 'epoch'::timestamptz + p_claimed_us * interval '1 microsecond');
END
$$;

-- The notification did arrive: counted, so that a channel whose notifications stay away is seen. Up to 16 MB of words:
-- as long as no daemon of a release that beats is there, nobody takes them away.
CREATE OR REPLACE FUNCTION resolve(p_order_no text, p_channel text, p_number text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  gone integer := resolve_attempts(p_order_no, p_channel, p_number);
BEGIN
  IF gone > 0 AND pg_relation_size('makegood.shop_word') < 16777216 THEN
    INSERT INTO shop_word (channel) VALUES (p_channel);
  END IF;
  RETURN gone;
END
$$;

-- p_version is the oldest schema that the program can work on: programs may be older than the schema, down to the first
-- release (9), for nothing that they call has changed its meaning.
CREATE OR REPLACE FUNCTION verify(p_version integer, p_mapping jsonb) RETURNS TABLE (fault text, mend text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  installed integer := (SELECT max(v.version) FROM schema_version AS v);
BEGIN
  IF p_version > installed THEN
    RETURN QUERY SELECT format('the schema makegood has version %s, this program needs %s', installed, p_version),
                        'run makegood migrate'::text;
  ELSIF p_version < 9 THEN
    RETURN QUERY SELECT format('the schema makegood has version %s, this program knows only %s', installed, p_version),
                        'install a newer program'::text;
  END IF;
  RETURN QUERY SELECT f.fault, f.mend FROM verify_exactly(installed, p_mapping) AS f;
END
$$;

CREATE OR REPLACE FUNCTION daemon_functions() RETURNS TABLE (name text, id oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT p.proname::text, p.oid FROM pg_proc AS p
  WHERE p.pronamespace = 'makegood'::regnamespace
    AND p.proname IN ('claim', 'claim_told', 'settle', 'release', 'announce', 'verify', 'backlog', 'prepare_months',
                      'adopt', 'rehearse', 'beat', 'leave')
$$;

GRANT EXECUTE ON FUNCTION claim_told(text, text[], integer[], bigint), beat(text, text, bigint, jsonb), leave(text) TO makegood_daemon;
GRANT SELECT ON instance, paused_channel, steering, operator_log, tally TO makegood_operator, makegood_reader;

RESET ROLE;
