-- Settle: the one door out. A batch of verdicts becomes order status, row and audit row, in one transaction.
--
--   1. hold    lock our rows, as far as they still carry our token; never wait for a lock
--   2. pay     what is plainly paid: order_pay() locks and writes the shop's orders in one statement
--   3. rule    the rest, the long way: lock the shop's orders of the verdicts that end one; classify in a later
--              statement, which sees everything that was committed before the locks were ours; write by the mapping's
--              conditional update
--   4. leave   delete, park or put off our rows
--   5. audit   one row for every element
--
-- What a lock was missed for is busy, to be repeated under the same token. Because nothing here waits for a row of
-- the shop's, nothing here can deadlock with the shop. A repeat finds its audit row and answers what was recorded,
-- so a commit whose answer was lost is safe to repeat.
--
-- Elements travel as parallel arrays: unnested side by side in one select list they are rows again, in order.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- What an element must be before anything is touched. Raises: the batch is split until the culprit is alone.
CREATE FUNCTION check_batch(p_attempt bigint[], p_verdict text[], p_authentic boolean[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  IF cardinality(p_attempt) <> cardinality(p_verdict) OR cardinality(p_attempt) <> cardinality(p_authentic) THEN
    RAISE EXCEPTION 'makegood.settle: the arrays differ in length; each element needs an entry in every array'
      USING ERRCODE = 'array_subscript_error';
  END IF;
  IF NOT p_verdict <@ '{paid,closed,refunded,retry,close,park}'::text[] THEN
    RAISE EXCEPTION 'makegood.settle: a verdict is none of paid, closed, refunded, retry, close, park'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF EXISTS (SELECT FROM (SELECT unnest(p_verdict) AS verdict, unnest(p_authentic) AS authentic) AS e
             WHERE e.verdict IN ('paid', 'closed', 'refunded') AND e.authentic IS NOT TRUE) THEN
    RAISE EXCEPTION 'makegood.settle: only authentic evidence ends an order'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;

-- What became of the elements from place to upto, in order; together of all of them.
CREATE FUNCTION settle(p_instance text, p_attempt bigint[], p_token uuid[], p_claimed_us bigint[], p_order_no text[],
                       p_channel text[], p_number text[], p_verdict text[], p_reason text[], p_rule text[],
                       p_due_in_ms bigint[], p_phase text[], p_late boolean[], p_answers integer[],
                       p_errors integer[], p_unknowns integer[], p_evidence text[], p_authentic boolean[],
                       p_amount bigint[], p_currency text[],
                       p_channel_number text[], p_code text[], p_channel_rule text[], p_http integer[],
                       p_latency_ms integer[], p_digest text[], p_asked text[], p_request_id text[], p_last boolean[],
                       p_detail text[])
RETURNS TABLE (place integer, upto integer, outcome text, reason text)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500
SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET jit = off SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
  moment   timestamptz := clock_timestamp();
  count    integer := cardinality(p_attempt);
  shop     mapping;
  pays     text[]; -- the payment's number: the channel's own, or else the one it was asked by
  held     held_rows;
  plain    plain_rows;
  paid     paid_rows;
  ruled    ruled_row[];
  rulings  text[];
  outcomes text[];
  reasons  text[];
  befores  text[];
  afters   text[];
  leaving  tid[];
BEGIN
  PERFORM check_batch(p_attempt, p_verdict, p_authentic);
  SELECT m.* INTO shop FROM mapping AS m;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'makegood.settle: no order table is mapped; run makegood migrate'
      USING ERRCODE = 'undefined_table';
  END IF;
  pays := ARRAY(SELECT coalesce(nullif(e.channel_number, ''), e.number)
                FROM (SELECT unnest(p_channel_number) AS channel_number, unnest(p_number) AS number) AS e);

  -- 1. hold
  SELECT array_agg(h.place), array_agg(h.spot), array_agg(h.tracked_amount), array_agg(h.tracked_currency),
         array_agg(h.phase), array_agg(h.place) FILTER (WHERE h.plain), array_agg(h.order_no) FILTER (WHERE h.plain),
         array_agg(h.channel) FILTER (WHERE h.plain), array_agg(h.payment) FILTER (WHERE h.plain),
         array_agg(h.amount) FILTER (WHERE h.plain), array_agg(h.currency) FILTER (WHERE h.plain)
  INTO held.place, held.spot, held.amount_minor, held.currency, held.phase, plain.place, plain.order_no, plain.channel,
       plain.payment, plain.amount, plain.currency
  FROM (
    SELECT e.*, l.ctid AS spot, l.amount_minor AS tracked_amount, l.currency AS tracked_currency, l.phase,
           e.verdict = 'paid' AND NOT e.last AND e.amount = l.amount_minor AND e.currency = l.currency AS plain
    FROM (SELECT generate_subscripts(p_attempt, 1) AS place, unnest(p_attempt) AS attempt_id, unnest(p_token) AS token,
                 unnest(p_order_no) AS order_no, unnest(p_channel) AS channel, unnest(p_verdict) AS verdict,
                 unnest(pays) AS payment, unnest(p_amount) AS amount, unnest(p_currency) AS currency,
                 unnest(p_last) AS last) AS e
    JOIN lost_order AS l ON l.attempt_id = e.attempt_id AND l.token = e.token
                        AND l.order_no = e.order_no AND l.channel = e.channel
    FOR UPDATE OF l SKIP LOCKED) AS h;

  -- 2. pay; the shop's triggers hear of it only when there is something to pay
  IF plain.place IS NOT NULL THEN
    SELECT array_agg(p.place), array_agg(p.status) INTO paid.place, paid.status
    FROM (SELECT p.* FROM order_pay(plain.place, plain.order_no, plain.channel, plain.payment, plain.amount,
                                    plain.currency) AS p ORDER BY p.place) AS p;
  END IF;

  -- 3. rule
  IF cardinality(paid.place) = count THEN
    rulings  := array_fill('paid'::text, ARRAY[count]);
    outcomes := array_fill('applied'::text, ARRAY[count]);
    reasons  := array_fill(''::text, ARRAY[count]);
    befores  := paid.status;
    afters   := array_fill(shop.paid_write, ARRAY[count]);
    leaving  := held.spot;
  ELSE
    ruled := settle_rest(p_attempt, p_token, p_claimed_us, p_order_no, p_channel, pays, p_verdict, p_amount,
                         p_currency, p_late, p_last, held, paid, shop);
    ruled := enter_tail(p_verdict, p_phase, held, ruled);
    SELECT array_agg((r).ruling), array_agg((r).outcome), array_agg((r).reason), array_agg((r).status_before),
           array_agg((r).status_after),
           array_agg((r).spot) FILTER (WHERE (r).ruling IN ('paid', 'write', 'late', 'leave', 'already'))
    INTO rulings, outcomes, reasons, befores, afters, leaving
    FROM unnest(ruled) AS r;
  END IF;

  -- 4. leave
  DELETE FROM lost_order AS l WHERE l.ctid = ANY (leaving);
  IF ruled IS NOT NULL THEN
    PERFORM park_batch(p_attempt, p_verdict, p_reason, p_amount, p_currency, pays, p_detail, ruled);
    PERFORM put_off_batch(moment, p_attempt, p_due_in_ms, p_phase, p_answers, p_errors, p_unknowns, ruled);
  END IF;

  -- 5. audit
  INSERT INTO query_log (claimed_at, token, attempt_id, logged_at, instance, order_no, channel, number, asked,
                         request_id, http_status, latency_ms, body_digest, evidence, authentic, amount_minor, currency,
                         channel_number, code, channel_rule, verdict, reason, rule, detail, due_in_ms, phase, answers,
                         errors, unknowns, outcome, status_before, status_after)
  SELECT 'epoch'::timestamptz + e.claimed_us * interval '1 microsecond', e.token, e.attempt_id, moment, p_instance,
         e.order_no, e.channel, e.number, e.asked, e.request_id, e.http, e.latency_ms, e.digest, e.evidence,
         e.authentic, e.amount, e.currency, e.channel_number, e.code, e.channel_rule, e.verdict,
         CASE e.outcome WHEN 'conflict' THEN e.conflict ELSE coalesce(e.reason, '') END, e.rule, e.detail,
         e.due_in_ms, e.phase, e.answers, e.errors, e.unknowns, e.outcome, e.status_before, e.status_after
  FROM (SELECT unnest(p_attempt) AS attempt_id, unnest(p_token) AS token, unnest(p_claimed_us) AS claimed_us,
               unnest(p_order_no) AS order_no, unnest(p_channel) AS channel, unnest(p_number) AS number,
               unnest(p_verdict) AS verdict, unnest(p_reason) AS reason, unnest(p_rule) AS rule,
               unnest(p_due_in_ms) AS due_in_ms, unnest(p_phase) AS phase, unnest(p_answers) AS answers,
               unnest(p_errors) AS errors, unnest(p_unknowns) AS unknowns, unnest(p_evidence) AS evidence,
               unnest(p_authentic) AS authentic, unnest(p_amount) AS amount, unnest(p_currency) AS currency,
               unnest(p_channel_number) AS channel_number, unnest(p_code) AS code,
               unnest(p_channel_rule) AS channel_rule, unnest(p_http) AS http, unnest(p_latency_ms) AS latency_ms,
               unnest(p_digest) AS digest, unnest(p_asked) AS asked, unnest(p_request_id) AS request_id,
               unnest(p_last) AS last, unnest(p_detail) AS detail, unnest(rulings) AS ruling,
               unnest(outcomes) AS outcome, unnest(reasons) AS conflict, unnest(befores) AS status_before,
               unnest(afters) AS status_after) AS e
  WHERE e.ruling <> 'recorded' AND (e.outcome <> 'busy' OR e.last);

  IF ruled IS NULL THEN
    RETURN QUERY SELECT 1, count, 'applied'::text, ''::text;
  ELSE
    RETURN QUERY SELECT generate_subscripts(outcomes, 1), generate_subscripts(outcomes, 1), unnest(outcomes),
                        unnest(reasons);
  END IF;
END
$$;

-- 3. The long way, for a batch that has anything in it but orders that were paid.
CREATE FUNCTION settle_rest(p_attempt bigint[], p_token uuid[], p_claimed_us bigint[], p_order_no text[],
                            p_channel text[], p_payment text[], p_verdict text[], p_amount bigint[],
                            p_currency text[], p_late boolean[], p_last boolean[], p_held held_rows, p_paid paid_rows,
                            p_shop mapping)
RETURNS ruled_row[]
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  strays stray_row[] := '{}';
  orders order_state[];
  ruled  ruled_row[];
BEGIN
  p_held.place := coalesce(p_held.place, '{}');
  p_paid.place := coalesce(p_paid.place, '{}');
  IF cardinality(p_held.place) < cardinality(p_attempt) OR true = ANY (p_last) THEN
    strays := recognise_strays(p_attempt, p_token, p_claimed_us, p_order_no, p_channel, p_last, p_held.place);
  END IF;
  orders := ARRAY(SELECT o FROM order_lock(ARRAY(
    SELECT e.order_no
    FROM (SELECT generate_subscripts(p_order_no, 1) AS place, unnest(p_order_no) AS order_no,
                 unnest(p_verdict) AS verdict) AS e
    WHERE e.verdict IN ('paid', 'closed', 'refunded') AND e.place <> ALL (p_paid.place))) AS o);
  ruled := rule_batch(p_attempt, p_order_no, p_channel, p_payment, p_verdict, p_amount, p_currency, p_late, p_last,
                      p_held, p_paid, orders, strays, p_shop);
  IF cardinality(ruled) <> cardinality(p_attempt) THEN
    RAISE EXCEPTION 'makegood.settle: an order number occurs twice in the order table; make its key unique'
      USING ERRCODE = 'cardinality_violation';
  END IF;
  ruled := write_batch('paid', p_order_no, p_channel, p_payment, p_verdict, ruled);
  ruled := write_batch('late', p_order_no, p_channel, p_payment, p_verdict, ruled);
  ruled := write_batch('closed', p_order_no, p_channel, p_payment, p_verdict, ruled);
  RETURN write_batch('refunded', p_order_no, p_channel, p_payment, p_verdict, ruled);
END
$$;

-- 3. Closed orders' rows that stay behind: not those that were tail already.
CREATE FUNCTION enter_tail(p_verdict text[], p_phase text[], p_held held_rows, p_ruled ruled_row[]) RETURNS ruled_row[]
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  IF 'tail' <> ALL (p_phase) OR 'closed' <> ALL (p_verdict) THEN
    RETURN p_ruled;
  END IF;
  RETURN ARRAY(
    SELECT CASE WHEN e.verdict = 'closed' AND e.phase = 'tail' AND h.phase <> 'tail'
                     AND (e.r).ruling IN ('write', 'leave', 'already')
                THEN ROW ('tail', (e.r).outcome, (e.r).reason, (e.r).status_before, (e.r).status_after, (e.r).spot,
                          (e.r).order_spot, NULL)::ruled_row
                ELSE e.r END
    FROM (SELECT generate_subscripts(p_verdict, 1) AS place, unnest(p_verdict) AS verdict, unnest(p_phase) AS phase,
                 unnest(p_ruled) AS r) AS e
    LEFT JOIN (SELECT unnest(p_held.place) AS place, unnest(p_held.phase) AS phase) AS h ON h.place = e.place
    ORDER BY e.place);
END
$$;

-- 3. One target's orders (late: paid as well, from closed). What the mapping's update did not write, though its row is
-- locked and its status was right, was held back by the shop's own table: a conflict.
CREATE FUNCTION write_batch(p_target text, p_order_no text[], p_channel text[], p_payment text[], p_verdict text[],
                            p_ruled ruled_row[]) RETURNS ruled_row[]
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  word     text := CASE p_target WHEN 'late' THEN 'late' ELSE 'write' END;
  meant    text := CASE p_target WHEN 'late' THEN 'paid' ELSE p_target END;
  keys     text[];
  channels text[];
  payments text[];
  spots    tid[];
  written  text[];
BEGIN
  IF meant <> ALL (p_verdict) THEN
    RETURN p_ruled;
  END IF;
  SELECT array_agg(e.order_no), array_agg(e.channel), array_agg(e.payment), array_agg((e.r).order_spot)
  INTO keys, channels, payments, spots
  FROM (SELECT unnest(p_order_no) AS order_no, unnest(p_channel) AS channel, unnest(p_payment) AS payment,
               unnest(p_verdict) AS verdict, unnest(p_ruled) AS r) AS e
  WHERE e.verdict = meant AND (e.r).ruling = word;
  IF keys IS NULL THEN
    RETURN p_ruled;
  END IF;

  written := ARRAY(SELECT order_write(p_target, keys, channels, payments, spots));
  IF cardinality(written) = cardinality(keys) THEN
    RETURN p_ruled;
  END IF;
  RETURN ARRAY(
    SELECT CASE WHEN e.verdict = meant AND (e.r).ruling = word AND e.order_no <> ALL (written)
                THEN ROW ('status_unexpected', 'conflict', 'status_unexpected', (e.r).status_before,
                          (e.r).status_before, (e.r).spot, (e.r).order_spot, NULL)::ruled_row
                ELSE e.r END
    FROM (SELECT unnest(p_order_no) AS order_no, unnest(p_verdict) AS verdict, unnest(p_ruled) AS r) AS e);
END
$$;

-- 4. Out of the cycle, with a reason: parked by the verdict, or a conflict.
CREATE FUNCTION park_batch(p_attempt bigint[], p_verdict text[], p_reason text[], p_amount bigint[], p_currency text[],
                           p_payment text[], p_detail text[], p_ruled ruled_row[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  WITH out AS MATERIALIZED (
    SELECT e.attempt_id,
           CASE (e.r).ruling WHEN 'park' THEN e.reason ELSE (e.r).reason END AS reason,
           CASE WHEN (e.r).ruling = 'park' THEN coalesce(e.detail, '')
                ELSE format('the channel says %s %s %s, payment %s; the order''s status is %s%s', e.verdict, e.amount,
                            e.currency, coalesce(nullif(e.payment, ''), 'without a number'),
                            coalesce((e.r).status_before, 'not known'), ', by the payment ' || (e.r).paid_by)
                END AS detail
    FROM (SELECT unnest(p_attempt) AS attempt_id, unnest(p_verdict) AS verdict, unnest(p_reason) AS reason,
                 unnest(p_amount) AS amount, unnest(p_currency) AS currency, unnest(p_payment) AS payment,
                 unnest(p_detail) AS detail, unnest(p_ruled) AS r) AS e
    WHERE (e.r).ruling = 'park' OR ((e.r).outcome = 'conflict' AND (e.r).ruling <> 'recorded')
  ), gone AS (
    DELETE FROM lost_order AS l USING out WHERE l.attempt_id = out.attempt_id
    RETURNING l.*, out.reason, out.detail
  )
  INSERT INTO parked_order SELECT gone.* FROM gone;
END
$$;

-- 4. Back into the cycle: asked again later, as tail or not; or put off because a lock was missed on the last try.
CREATE FUNCTION put_off_batch(p_moment timestamptz, p_attempt bigint[], p_due_in_ms bigint[], p_phase text[],
                              p_answers integer[], p_errors integer[], p_unknowns integer[], p_ruled ruled_row[])
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  UPDATE lost_order AS l
  SET due_at   = coalesce(p_moment + e.due_in_ms * interval '1 millisecond', l.due_at),
      token    = NULL,
      claims   = 0,
      phase    = CASE WHEN (e.r).ruling = 'put_off' THEN l.phase ELSE coalesce(e.phase, l.phase) END,
      answers  = coalesce(e.answers, l.answers),
      errors   = coalesce(e.errors, l.errors),
      unknowns = coalesce(e.unknowns, l.unknowns)
  FROM (SELECT unnest(p_attempt) AS attempt_id, unnest(p_due_in_ms) AS due_in_ms, unnest(p_phase) AS phase,
               unnest(p_answers) AS answers, unnest(p_errors) AS errors, unnest(p_unknowns) AS unknowns,
               unnest(p_ruled) AS r) AS e
  WHERE l.attempt_id = e.attempt_id AND (e.r).ruling IN ('retry', 'tail', 'put_off');
END
$$;

RESET ROLE;
