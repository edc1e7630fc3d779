-- Lost orders that come as messages instead of rows. A message becomes a row for the length of the transaction that settles
-- it, so that one set of rules (settle) decides about both; nobody else ever sees that row. Its identity is its chain (the
-- token) and its time in the chain (claimed_us): what the audit knows of these is done, however often the message comes.
-- A row that the shop tracked as safety net beside its message is that row: it goes with the order, and else stays as it was.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- ---- reading orders ----

-- As before; and the same without locks, for look_messages().
CREATE OR REPLACE FUNCTION order_lock_source(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT string_agg(format($made$
CREATE FUNCTION makegood.%1$I(p_keys text[]) RETURNS SETOF makegood.order_state
LANGUAGE plpgsql SECURITY DEFINER ROWS 500
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS %2$L;$made$, f.name, format($body$
BEGIN
  RETURN QUERY
  SELECT o.%1$I::text, o.%2$I::text, %3$s, %4$s, %5$s, %6$s, o.ctid
  FROM %7$s AS o
  WHERE o.%1$I = ANY (%8$s)%9$s;
END
$body$, p_mapping ->> 'key', p_mapping ->> 'status', amount_expression(p_mapping, 'o'),
        currency_expression(p_mapping, 'o'), column_expression(p_mapping, 'o', 'channel', 'text'),
        column_expression(p_mapping, 'o', 'channel_number', 'text'), mapped_table(p_mapping),
        keys_expression(p_mapping), f.lock)), '')
  FROM (VALUES ('order_lock', ' FOR NO KEY UPDATE OF o SKIP LOCKED'), ('order_look', '')) AS f (name, lock)
$source$;

CREATE OR REPLACE FUNCTION uninstall_mapping() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  made record;
BEGIN
  FOR made IN SELECT t.tgname, t.tgrelid::regclass AS place FROM pg_trigger AS t
              WHERE t.tgfoid = to_regprocedure('makegood.order_watch()') AND t.tgparentid = 0 LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', made.tgname, made.place);
  END LOOP;
  DROP FUNCTION IF EXISTS makegood.order_watch(), makegood.order_lock(text[]), makegood.order_look(text[]),
                          makegood.order_present(text),
                          makegood.order_pay(integer[], text[], text[], text[], bigint[], text[]),
                          makegood.order_write(text, text[], text[], text[], tid[]),
                          makegood.order_unpaid_since(timestamptz);
  DELETE FROM makegood.mapping;
END
$$;

-- As before, with order_look() among them.
CREATE OR REPLACE FUNCTION hand_over_mapping(p_mapping jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = mapped_table(p_mapping));
  path  text    := (SELECT coalesce(string_agg(quote_ident(s.name), ', ') || ', ', '') || 'pg_temp'
                    FROM search_schemas(p_mapping) AS s (name));
  made  regprocedure;
BEGIN
  IF owner <> 'makegood_owner'::regrole THEN
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA makegood TO %s', owner);
    EXECUTE format('GRANT EXECUTE ON FUNCTION makegood.minor_of(numeric, text), makegood.whole_of(numeric), '
                   'makegood.currency_exponent(text) TO %s', owner);
  END IF;
  FOREACH made IN ARRAY ARRAY['makegood.order_lock(text[])', 'makegood.order_look(text[])', 'makegood.order_present(text)',
                              'makegood.order_pay(integer[], text[], text[], text[], bigint[], text[])',
                              'makegood.order_write(text, text[], text[], text[], tid[])',
                              'makegood.order_unpaid_since(timestamptz)']::regprocedure[] LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %s', made, path);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO makegood_owner', made);
    EXECUTE format('ALTER FUNCTION %s OWNER TO %s', made, owner);
  END LOOP;
  IF to_regprocedure('makegood.order_watch()') IS NOT NULL THEN
    REVOKE ALL ON FUNCTION makegood.order_watch() FROM PUBLIC;
    ALTER FUNCTION makegood.order_watch() OWNER TO makegood_owner;
  END IF;
  IF owner <> 'makegood_owner'::regrole THEN
    EXECUTE format('REVOKE CREATE ON SCHEMA makegood FROM %s', owner);
  END IF;
END
$$;

-- ---- received ----

-- What the audit knows of messages: null where they were not settled yet. What was fenced, busy or halted was not. goes_on:
-- that was put off, and by which question, so that another message follows.
CREATE FUNCTION messages_recorded(p_order_no text[], p_token uuid[], p_claimed_us bigint[])
RETURNS TABLE (place integer, attempt_id bigint, request_id text, goes_on boolean)
LANGUAGE plpgsql STABLE ROWS 500 SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT m.place, q.attempt_id, coalesce(q.request_id, ''),
         q.verdict IN ('retry', 'close', 'closed') AND q.outcome IN ('applied', 'already')
  FROM (SELECT generate_subscripts(p_order_no, 1) AS place, unnest(p_order_no) AS order_no, unnest(p_token) AS token,
               unnest(p_claimed_us) AS claimed_us) AS m
  LEFT JOIN LATERAL (SELECT q.attempt_id, q.request_id, q.verdict, q.outcome FROM query_log AS q
                     WHERE q.order_no = m.order_no
                       AND q.claimed_at = 'epoch'::timestamptz + m.claimed_us * interval '1 microsecond'
                       AND q.token = m.token AND q.outcome NOT IN ('fenced', 'busy') AND q.rule <> 'halted'
                     LIMIT 1) AS q ON true;
END
$$;

-- A person has this attempt: another message about it, of whatever chain, changes nothing. What could not be read says nothing
-- about the attempt that it names.
CREATE FUNCTION message_is_parked(p_order_no text, p_channel text, p_attempt text) RETURNS boolean
LANGUAGE sql STABLE
AS $$
  SELECT EXISTS (SELECT FROM makegood.parked_order AS p WHERE p.order_no = p_order_no AND p.channel = p_channel
                 AND p.attempt = p_attempt AND p.reason <> 'untrackable')
$$;

-- Of messages that were just received: what the order row says, and what is to be done.
--   done  nothing: it was settled or continued already, or a person has it, or the shop's own word was there first, or it never
--         counted. A payment of another channel is not that word, nor is any where the shop tells attempts apart.
--   wait  nothing yet: a message counts once the step that wrote it (p_before_us, 0 for the shop's, and p_before_request) is
--         recorded, and if that was the question which is recorded. Two deliveries of one message write two, and one counts.
CREATE FUNCTION look_messages(p_order_no text[], p_channel text[], p_attempt_name text[], p_token uuid[],
                              p_claimed_us bigint[], p_before_us bigint[], p_before_request text[])
RETURNS TABLE (place integer, look text, amount_minor bigint, currency text)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500 SET search_path = pg_catalog, makegood, pg_temp
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  shop mapping;
BEGIN
  SELECT m.* INTO STRICT shop FROM mapping AS m;
  RETURN QUERY
  SELECT r.place,
         CASE WHEN r.attempt_id IS NOT NULL
                   OR message_is_parked(p_order_no[r.place], p_channel[r.place], p_attempt_name[r.place])
                   OR o.status = ANY (shop.refunded_here)
                   OR (o.status = ANY (shop.paid_here) AND p_attempt_name[r.place] = ''
                       AND (NOT shop.has_channel OR o.channel IS NOT DISTINCT FROM p_channel[r.place])) THEN 'done'
              WHEN p_before_us[r.place] = 0 THEN 'ask'
              WHEN b.attempt_id IS NULL THEN 'wait'
              WHEN b.goes_on AND b.request_id = p_before_request[r.place] THEN 'ask'
              ELSE 'done' END,
         o.amount_minor, o.currency
  FROM messages_recorded(p_order_no, p_token, p_claimed_us) AS r
  JOIN messages_recorded(p_order_no, p_token, p_before_us) AS b ON b.place = r.place
  LEFT JOIN order_look(p_order_no) AS o ON o.order_no = p_order_no[r.place]
  ORDER BY r.place;
END
$$;

-- A message that can not be understood: left for a person, as far as it can be read.
CREATE FUNCTION message_unread(p_order_no text, p_channel text, p_why text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
  INSERT INTO parked_order (order_no, channel, reason, detail)
  VALUES (left(p_order_no, 200), left(p_channel, 80), 'untrackable', left(p_why, 1000))
$$;

-- ---- settled ----

-- Rows for messages: a new one, or the safety net's. None where a daemon has claimed that one, or for the second of two
-- messages about one attempt.
CREATE FUNCTION messages_enter(p_instance text, p_order_no text[], p_channel text[], p_number text[], p_attempt_name text[],
                               p_method text[], p_amount bigint[], p_currency text[], p_created timestamptz[],
                               p_expires timestamptz[], p_phase text[], p_token uuid[])
RETURNS TABLE (place integer, attempt_id bigint, is_net boolean)
LANGUAGE plpgsql ROWS 500 SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz := clock_timestamp();
BEGIN
  RETURN QUERY
  WITH meant AS (
    SELECT DISTINCT ON (m.order_no, m.channel, m.attempt) m.*
    FROM (SELECT generate_subscripts(p_order_no, 1) AS place, unnest(p_order_no) AS order_no, unnest(p_channel) AS channel,
                 nullif(unnest(p_number), '') AS number, unnest(p_attempt_name) AS attempt,
                 nullif(unnest(p_method), '') AS method, unnest(p_amount) AS amount, unnest(p_currency) AS currency,
                 unnest(p_created) AS created_at, unnest(p_expires) AS expires_at, unnest(p_phase) AS phase,
                 unnest(p_token) AS token) AS m
    ORDER BY m.order_no, m.channel, m.attempt, m.place
  ), entered AS (
    INSERT INTO lost_order AS l (order_no, channel, number, attempt, method, amount_minor, currency, created_at, expires_at,
                                 due_at, token, claimed_at, claimed_by, claims, phase)
    SELECT m.order_no, m.channel, m.number, m.attempt, m.method, m.amount, m.currency, m.created_at, m.expires_at,
           'infinity', m.token, moment, p_instance, 1, m.phase
    FROM meant AS m
    ON CONFLICT (order_no, channel, attempt) DO UPDATE SET token = excluded.token, phase = excluded.phase
    WHERE l.token IS NULL OR l.due_at <= moment
    RETURNING l.attempt_id, l.order_no, l.channel, l.attempt, l.due_at
  )
  SELECT m.place, e.attempt_id, e.due_at <> 'infinity'
  FROM entered AS e JOIN meant AS m ON m.order_no = e.order_no AND m.channel = e.channel AND m.attempt = e.attempt;
END
$$;

-- Settles messages as settle() does rows. What is put off has its next message already: only the audit hears of it.
CREATE FUNCTION settle_messages(
  p_instance text, p_token uuid[], p_claimed_us bigint[], p_order_no text[], p_channel text[],
  p_number text[], p_verdict text[], p_reason text[], p_rule text[], p_due_in_ms bigint[], p_phase text[],
  p_late boolean[], p_answers integer[], p_errors integer[], p_unknowns integer[], p_evidence text[],
  p_authentic boolean[], p_amount bigint[], p_currency text[], p_channel_number text[], p_code text[],
  p_channel_rule text[], p_http integer[], p_latency_ms integer[], p_digest text[], p_asked text[], p_request_id text[],
  p_last boolean[], p_detail text[], p_attempt_name text[], p_method text[], p_order_amount bigint[],
  p_order_currency text[], p_age_ms bigint[], p_left_ms bigint[], p_phase_before text[])
RETURNS TABLE (place integer, upto integer, outcome text, reason text)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500 SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  moment  timestamptz := clock_timestamp();
  ids     bigint[];
  entered bigint[]; -- rows that are here for this transaction only
  nets    lost_order[];
BEGIN
  nets := ARRAY(SELECT l FROM lost_order AS l
                JOIN (SELECT unnest(p_order_no) AS order_no, unnest(p_channel) AS channel,
                             unnest(p_attempt_name) AS attempt) AS m
                  ON l.order_no = m.order_no AND l.channel = m.channel AND l.attempt = m.attempt);
  WITH taken AS MATERIALIZED (
    SELECT t.* FROM messages_enter(
      p_instance, p_order_no, p_channel, p_number, p_attempt_name, p_method, p_order_amount, p_order_currency,
      ARRAY(SELECT moment - age * interval '1 millisecond' FROM unnest(p_age_ms) AS age),
      ARRAY(SELECT moment + remaining * interval '1 millisecond' FROM unnest(p_left_ms) AS remaining),
      p_phase_before, p_token) AS t
  )
  SELECT array_agg(t.attempt_id ORDER BY m.place), array_agg(t.attempt_id) FILTER (WHERE NOT t.is_net)
  INTO ids, entered
  FROM generate_subscripts(p_order_no, 1) AS m (place) LEFT JOIN taken AS t ON t.place = m.place;

  -- Another statement: whoever held such a row until now has committed, and is seen. What this question has settled already
  -- is told again; what another one has settled, or another daemon or a person holds, finds no row: fenced, and audited.
  ids := ARRAY(SELECT coalesce(CASE WHEN r.attempt_id IS NOT NULL
                                    THEN CASE WHEN r.request_id = coalesce(p_request_id[r.place], '') THEN r.attempt_id END
                                    WHEN NOT message_is_parked(p_order_no[r.place], p_channel[r.place],
                                                               p_attempt_name[r.place])
                                    THEN ids[r.place] END,
                               nextval('lost_order_attempt_id_seq'))
               FROM messages_recorded(p_order_no, p_token, p_claimed_us) AS r ORDER BY r.place);
  RETURN QUERY
  SELECT s.place, s.upto, s.outcome, s.reason
  FROM settle(p_instance, ids, p_token, p_claimed_us, p_order_no, p_channel, p_number, p_verdict, p_reason, p_rule,
              p_due_in_ms, p_phase, p_late, p_answers, p_errors, p_unknowns, p_evidence, p_authentic, p_amount, p_currency,
              p_channel_number, p_code, p_channel_rule, p_http, p_latency_ms, p_digest, p_asked, p_request_id, p_last,
              p_detail) AS s;

  DELETE FROM lost_order AS l WHERE l.attempt_id = ANY (entered);
  IF cardinality(nets) > 0 THEN -- an order that was closed stays closed
    UPDATE lost_order AS l
    SET due_at = n.due_at, token = n.token, claims = n.claims, answers = n.answers, errors = n.errors,
        unknowns = n.unknowns, phase = CASE WHEN l.phase = 'tail' AND l.token IS NULL THEN l.phase ELSE n.phase END
    FROM unnest(nets) AS n WHERE l.attempt_id = n.attempt_id AND (l.token = ANY (p_token) OR l.attempt_id = ANY (ids));
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION daemon_functions() RETURNS TABLE (name text, id oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT p.proname::text, p.oid FROM pg_proc AS p
  WHERE p.pronamespace = 'makegood'::regnamespace
    AND p.proname IN ('claim', 'claim_told', 'claim_due', 'settle', 'release', 'announce', 'verify', 'backlog',
                      'prepare_months', 'adopt', 'rehearse', 'beat', 'leave', 'look_messages', 'message_unread',
                      'settle_messages')
$$;

GRANT EXECUTE ON FUNCTION
  look_messages(text[], text[], text[], uuid[], bigint[], bigint[], text[]),
  message_unread(text, text, text),
  settle_messages(text, uuid[], bigint[], text[], text[], text[], text[], text[], text[], bigint[], text[], boolean[],
                  integer[], integer[], integer[], text[], boolean[], bigint[], text[], text[], text[], text[], integer[],
                  integer[], text[], text[], text[], boolean[], text[], text[], text[], bigint[], text[], bigint[], bigint[],
                  text[])
TO makegood_daemon;

RESET ROLE;
