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

-- The shop's order as order_lock() read it, and where it lies.
CREATE TYPE order_state AS (order_no text, status text, amount_minor bigint, currency text, channel text,
                            channel_number text, spot tid);

-- Rows of ours that we hold, and where they lie: nobody moves them while they are locked.
CREATE TYPE held_rows AS (place integer[], spot tid[], amount_minor bigint[], currency text[], phase text[]);

-- Those among them that are paid in the amount that was tracked; their payments' numbers.
CREATE TYPE plain_rows AS (place integer[], order_no text[], channel text[], payment text[], amount bigint[],
                           currency text[]);

-- Orders that were paid, by the place of their element, and the statuses they left.
CREATE TYPE paid_rows AS (place integer[], status text[]);

-- An element that is none of the fresh and held ones: recorded before, locked by somebody, or no longer ours.
CREATE TYPE stray_row AS (place integer, ruling text, outcome text, reason text);

-- What becomes of one element; rule_batch() makes one for each, in order.
CREATE TYPE ruled_row AS (ruling text, outcome text, reason text, status_before text, status_after text, spot tid,
                          order_spot tid, paid_by text);

-- What the audit, or else our table, knows about elements that are not held, and about the last tries: only those can
-- have been audited while their row kept its token. One statement, so a settlement that commits meanwhile is seen
-- whole or not at all.
CREATE FUNCTION recognise_strays(p_attempt bigint[], p_token uuid[], p_claimed_us bigint[], p_order_no text[],
                                 p_channel text[], p_last boolean[], p_held integer[]) RETURNS stray_row[]
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RETURN ARRAY(
    SELECT ROW (e.place,
                CASE WHEN q.outcome IS NOT NULL THEN 'recorded' WHEN l.token IS NOT NULL THEN 'busy' ELSE 'fenced' END,
                q.outcome, CASE q.outcome WHEN 'conflict' THEN q.reason ELSE '' END)::stray_row
    FROM (SELECT generate_subscripts(p_attempt, 1) AS place, unnest(p_attempt) AS attempt_id, unnest(p_token) AS token,
                 unnest(p_claimed_us) AS claimed_us, unnest(p_order_no) AS order_no, unnest(p_channel) AS channel,
                 unnest(p_last) AS last) AS e
    LEFT JOIN lost_order AS l ON l.attempt_id = e.attempt_id AND l.token = e.token
                             AND l.order_no = e.order_no AND l.channel = e.channel
    LEFT JOIN query_log AS q ON q.order_no = e.order_no
                            AND q.claimed_at = 'epoch'::timestamptz + e.claimed_us * interval '1 microsecond'
                            AND q.token = e.token AND q.attempt_id = e.attempt_id
    WHERE e.place <> ALL (p_held) OR (e.last AND q.outcome IS NOT NULL));
END
$$;

-- An attempt of this order beside the given one, waiting or parked: the order may still be paid through it.
CREATE FUNCTION another_attempt_lives(p_order_no text, p_attempt_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM lost_order AS l
                 WHERE l.order_no = p_order_no AND l.attempt_id <> p_attempt_id AND l.phase <> 'tail')
      OR EXISTS (SELECT FROM parked_order AS p WHERE p.order_no = p_order_no AND p.attempt_id <> p_attempt_id);
END
$$;

-- The order is paid already: by another payment than this one? The order's own columns tell, where they are mapped;
-- where they are not, our audit tells of payments that were settled here.
CREATE FUNCTION is_other_payment(p_attempt_id bigint, p_channel text, p_payment text, p_order order_state,
                                 p_shop mapping) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RETURN (p_shop.has_channel AND p_order.channel IS DISTINCT FROM p_channel)
      OR (p_shop.has_number AND p_order.channel_number IS DISTINCT FROM p_payment)
      OR (NOT (p_shop.has_channel AND p_shop.has_number) AND EXISTS (
            SELECT FROM query_log AS q
            WHERE q.order_no = p_order.order_no AND q.attempt_id <> p_attempt_id
              AND q.verdict = 'paid' AND q.outcome = 'applied'
              AND (q.channel <> p_channel OR coalesce(nullif(q.channel_number, ''), q.number)
                                             IS DISTINCT FROM p_payment)));
END
$$;

-- Channel and number of the payment that an order was paid by: its own columns tell (p_recorded), or else our audit.
CREATE FUNCTION first_payment(p_order_no text, p_recorded text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT coalesce(nullif(p_recorded, ''), (
    SELECT concat_ws(' ', q.channel, coalesce(nullif(q.channel_number, ''), q.number)) FROM query_log AS q
    WHERE q.order_no = p_order_no AND q.verdict = 'paid' AND q.outcome = 'applied' ORDER BY q.logged_at DESC LIMIT 1),
    'unknown')
$$;

-- Of the elements that would end the same order one has its turn (1): the one that did, or else a paid one first.
CREATE FUNCTION take_turns(p_order_no text[], p_verdict text[], p_paid integer[]) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RETURN ARRAY(
    SELECT CASE WHEN t.ends THEN row_number() OVER (PARTITION BY t.order_no COLLATE "C", t.ends
                                                    ORDER BY t.place <> ALL (p_paid), t.verdict <> 'paid',
                                                             t.place) END
    FROM (SELECT e.*, e.verdict IN ('paid', 'closed', 'refunded') AS ends
          FROM (SELECT generate_subscripts(p_order_no, 1) AS place, unnest(p_order_no) AS order_no,
                       unnest(p_verdict) AS verdict) AS e) AS t
    ORDER BY t.place);
END
$$;

-- 3. The table of rulings, read top to bottom, first match wins:
--      paid                       it was paid already, by order_pay(); the row goes
--      recorded, fenced           nothing is done (fenced is audited)
--      busy                       nothing is done, repeat;  put_off: the same on the last try, the row goes back
--      retry, park                as the verdict says (close is a retry: what is asked next is in the row's phase)
--      write                      the order changes, the row goes
--      late                       the same, from closed to paid: a late payment that the policy accepts
--      leave, already             the order stays as it is, the row goes
--    A row whose order closes stays behind as tail, when the verdict says so; one that is tail is only taken away.
--      any other word             a conflict: parked with that word as its reason
-- The settings choose hash joins: both sides are arrays of a batch's length.
CREATE FUNCTION rule_batch(p_attempt bigint[], p_order_no text[], p_channel text[], p_payment text[], p_verdict text[],
                           p_amount bigint[], p_currency text[], p_late boolean[], p_last boolean[], p_held held_rows,
                           p_paid paid_rows, p_orders order_state[], p_strays stray_row[], p_shop mapping)
RETURNS ruled_row[]
LANGUAGE plpgsql
SET search_path = pg_catalog, makegood, pg_temp
SET enable_nestloop = off SET enable_hashjoin = on SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  turns bigint[] := take_turns(p_order_no, p_verdict, p_paid.place);
BEGIN
  RETURN ARRAY(
    SELECT ROW (r.ruling,
                CASE WHEN r.ruling = 'recorded' THEN r.recorded
                     WHEN r.ruling IN ('paid', 'retry', 'park', 'write', 'late', 'leave') THEN 'applied'
                     WHEN r.ruling IN ('already', 'busy', 'fenced') THEN r.ruling
                     WHEN r.ruling = 'put_off' THEN 'busy'
                     ELSE 'conflict' END,
                CASE WHEN r.ruling = 'recorded' THEN r.recorded_reason
                     WHEN r.ruling IN ('paid', 'retry', 'park', 'write', 'late', 'leave', 'already', 'busy', 'fenced',
                                       'put_off') THEN ''
                     ELSE r.ruling END,
                r.status,
                CASE WHEN r.ruling NOT IN ('paid', 'write', 'late') THEN r.status
                     WHEN r.verdict = 'paid' THEN p_shop.paid_write
                     WHEN r.verdict = 'closed' THEN p_shop.closed_write
                     ELSE p_shop.refunded_write END,
                r.spot, r.order_spot,
                CASE r.ruling WHEN 'paid_twice' THEN first_payment(r.order_no, r.paid_by) END)::ruled_row
    FROM (
      SELECT e.place, h.spot, o.spot AS order_spot, e.order_no, concat_ws(' ', o.channel, o.channel_number) AS paid_by,
             e.verdict, coalesce(d.status, o.status) AS status,
             s.outcome AS recorded, s.reason AS recorded_reason, CASE
        WHEN d.place IS NOT NULL THEN 'paid'
        WHEN s.place IS NOT NULL THEN s.ruling
        WHEN e.verdict IN ('retry', 'close') THEN 'retry'
        WHEN e.verdict = 'park' THEN 'park'
        WHEN e.verdict = 'closed' AND h.phase = 'tail' THEN 'leave'
        WHEN e.turn > 1 OR (o.order_no IS NULL AND order_present(e.order_no)) THEN
          CASE WHEN e.last THEN 'put_off' ELSE 'busy' END
        WHEN o.order_no IS NULL THEN 'missing'
        WHEN e.verdict = 'closed' THEN CASE
          WHEN another_attempt_lives(e.order_no, e.attempt_id) THEN 'leave'
          WHEN o.status = ANY (p_shop.closed_from) THEN 'write'
          WHEN o.status = ANY (p_shop.closed_here || p_shop.paid_here) THEN 'already'
          ELSE 'status_unexpected' END
        WHEN e.verdict = 'refunded' AND p_shop.refunded_write IS NULL THEN 'refund_seen'
        WHEN (e.currency = h.currency AND e.currency = o.currency) IS NOT TRUE THEN 'currency_mismatch'
        WHEN (e.amount = h.amount_minor AND e.amount = o.amount_minor) IS NOT TRUE THEN 'amount_mismatch'
        WHEN e.verdict = 'paid' THEN CASE
          WHEN o.status = ANY (p_shop.paid_from) THEN 'write'
          WHEN o.status = ANY (p_shop.paid_here)
               AND is_other_payment(e.attempt_id, e.channel, e.payment, o, p_shop) THEN 'paid_twice'
          WHEN o.status = ANY (p_shop.paid_here) THEN 'already'
          WHEN e.late AND h.phase = 'tail' AND o.status = ANY (p_shop.late_from) THEN 'late'
          WHEN o.status = ANY (p_shop.closed_here) THEN 'late_payment'
          ELSE 'status_unexpected' END
        WHEN o.status = ANY (p_shop.paid_here || p_shop.refunded_here)
             AND is_other_payment(e.attempt_id, e.channel, e.payment, o, p_shop) THEN 'paid_twice'
        WHEN o.status = ANY (p_shop.refunded_from) THEN 'write'
        WHEN o.status = ANY (p_shop.refunded_here) THEN 'already'
        WHEN o.status = ANY (p_shop.closed_here) THEN 'late_payment'
        ELSE 'status_unexpected' END AS ruling
      FROM (SELECT generate_subscripts(p_attempt, 1) AS place, unnest(p_attempt) AS attempt_id,
                   unnest(p_order_no) AS order_no, unnest(p_channel) AS channel, unnest(p_payment) AS payment,
                   unnest(p_verdict) AS verdict, unnest(p_amount) AS amount, unnest(p_currency) AS currency,
                   unnest(p_late) AS late, unnest(p_last) AS last, unnest(turns) AS turn) AS e
      LEFT JOIN (SELECT unnest(p_paid.place) AS place, unnest(p_paid.status) AS status) AS d ON d.place = e.place
      LEFT JOIN (SELECT unnest(p_held.place) AS place, unnest(p_held.spot) AS spot,
                        unnest(p_held.amount_minor) AS amount_minor, unnest(p_held.currency) AS currency,
                        unnest(p_held.phase) AS phase) AS h
             ON h.place = e.place
      LEFT JOIN unnest(p_strays) AS s ON s.place = e.place
      LEFT JOIN unnest(p_orders) AS o ON o.order_no = e.order_no
      ORDER BY e.place -- also keeps the planner from writing the CASE above into each place that names the ruling
    ) AS r);
END
$$;

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
               unnest(p_errors) AS errors,
               unnest(p_unknowns) AS unknowns, unnest(p_evidence) AS evidence, unnest(p_authentic) AS authentic,
               unnest(p_amount) AS amount, unnest(p_currency) AS currency, unnest(p_channel_number) AS channel_number,
               unnest(p_code) AS code, unnest(p_channel_rule) AS channel_rule, unnest(p_http) AS http,
               unnest(p_latency_ms) AS latency_ms, unnest(p_digest) AS digest, unnest(p_asked) AS asked,
               unnest(p_request_id) AS request_id, unnest(p_last) AS last, unnest(p_detail) AS detail,
               unnest(rulings) AS ruling, unnest(outcomes) AS outcome, unnest(reasons) AS conflict,
               unnest(befores) AS status_before, unnest(afters) AS status_after) AS e
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
