-- The table of rulings: what becomes of each element of a settled batch, decided when everything that it touches is locked.
-- Nothing is written here; settle() (005_settle.sql) calls this and carries it out.
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

RESET ROLE;
