-- What the end suites know and makegood does not: what the bank will say about each attempt, what it was asked, and the
-- laws. truth.violation names every law that is broken, and by what; it reads the shop through two views of the
-- shop's own (truth.shop_order, truth.change) and is empty as long as makegood keeps its word.

-- Every attempt that a test tracks; `script` is its fate at the bank.
CREATE TABLE truth.attempt (
  n          integer PRIMARY KEY,
  order_no   text NOT NULL,
  number     text NOT NULL UNIQUE,
  channel    text NOT NULL DEFAULT 'main',
  amount     bigint NOT NULL,
  currency   text NOT NULL DEFAULT 'CNY',
  script     text NOT NULL,
  meant      text, -- what a mode of the bank says at last, where the script alone does not tell
  data       jsonb,
  expires_in interval,
  attempt_id bigint
);
-- The bank's own count, loaded before a check.
CREATE TABLE truth.bank_says (number text PRIMARY KEY, asked integer NOT NULL, told_paid integer NOT NULL);
-- How often a daemon was killed: what it was asking then went unrecorded, at most one batch of questions each time.
-- Where late payments are accepted, a closed order may become paid.
CREATE TABLE truth.run (kills integer NOT NULL, questions_at_once integer NOT NULL, accepts_late boolean NOT NULL);
INSERT INTO truth.run VALUES (0, 0, false);

CREATE VIEW truth.query AS
  SELECT q.*, q.evidence IN ('paid', 'paid_flagged', 'refunded', 'closed', 'pending', 'not_found', 'unknown_state')
              AS is_answer,
         q.evidence NOT IN ('none', 'unaskable') OR q.reason = 'poison' AS was_asked,
         q.rule ~ '^close_(?!in_vain|unaskable)' AS was_close
  FROM makegood.query_log AS q;

CREATE VIEW truth.violation AS
-- Nothing is lost: an order is final, or it waits, or a person finds it parked with a reason.
SELECT 'lost' AS law, format('order %s is neither final nor waiting nor parked', a.order_no) AS what
FROM truth.attempt AS a LEFT JOIN truth.shop_order AS o USING (order_no)
WHERE a.attempt_id IS NOT NULL AND coalesce(o.status, 'unpaid') = 'unpaid'
  AND NOT EXISTS (SELECT FROM makegood.lost_order AS l WHERE l.order_no = a.order_no)
  AND NOT EXISTS (SELECT FROM makegood.parked_order AS p WHERE p.order_no = a.order_no AND p.reason <> '')
UNION ALL
SELECT 'lost', format('attempt %s of order %s went, and neither the audit nor the shop says why', a.attempt_id,
                      a.order_no)
FROM truth.attempt AS a
WHERE a.attempt_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM makegood.lost_order AS l WHERE l.attempt_id = a.attempt_id)
  AND NOT EXISTS (SELECT FROM makegood.parked_order AS p WHERE p.attempt_id = a.attempt_id)
  AND NOT EXISTS (SELECT FROM makegood.query_log AS q
                  WHERE q.attempt_id = a.attempt_id AND q.verdict IN ('paid', 'closed', 'refunded')
                    AND q.outcome IN ('applied', 'already'))
  AND NOT EXISTS (SELECT FROM truth.change AS c WHERE c.order_no = a.order_no AND c.who <> 'end_daemon')
UNION ALL
SELECT 'lost', format('attempt %s is in two places', l.attempt_id)
FROM makegood.lost_order AS l JOIN makegood.parked_order AS p USING (attempt_id)
UNION ALL
-- Nothing is done twice.
SELECT 'twice', format('order %s became paid %s times', c.order_no, count(*))
FROM truth.change AS c WHERE c.after = 'paid' GROUP BY c.order_no HAVING count(*) > 1
UNION ALL
SELECT 'twice', format('attempt %s was settled %s times', q.attempt_id, count(*))
FROM makegood.query_log AS q
WHERE q.outcome = 'applied' AND q.verdict IN ('paid', 'closed', 'refunded')
  AND NOT (q.verdict = 'closed' AND q.status_before = q.status_after) -- the end of a tail
GROUP BY q.attempt_id HAVING count(*) > 1 + (SELECT r.accepts_late::integer FROM truth.run AS r)
UNION ALL
SELECT 'twice', format('order %s left its final status %s for %s', c.order_no, c.before, c.after)
FROM truth.change AS c, truth.run AS r
WHERE c.who = 'end_daemon' AND c.before <> 'unpaid' AND NOT (c.before = 'paid' AND c.after = 'refunded')
  AND NOT (c.before = 'closed' AND c.after = 'paid' AND r.accepts_late)
UNION ALL
-- Nothing without proof: every change has the audit row that proves it, and the bank meant it.
SELECT 'proof', format('order %s became %s without an authentic answer that says so', c.order_no, c.after)
FROM truth.change AS c
WHERE c.who = 'end_daemon' AND NOT EXISTS (
  SELECT FROM makegood.query_log AS q JOIN truth.shop_order AS o USING (order_no)
  WHERE q.order_no = c.order_no AND q.verdict = c.after AND q.outcome = 'applied' AND q.authentic
    AND q.evidence = ANY (CASE c.after WHEN 'paid' THEN '{paid,paid_flagged}'::text[]
                                       WHEN 'closed' THEN '{closed,not_found}' ELSE '{refunded}' END)
    AND (c.after = 'closed' OR (q.amount_minor = o.amount AND q.currency = o.currency)))
UNION ALL
SELECT 'proof', format('order %s became %s, but the bank never meant that', c.order_no, c.after)
FROM truth.change AS c
WHERE c.who = 'end_daemon' AND NOT EXISTS (
  SELECT FROM truth.attempt AS a JOIN truth.shop_order AS o USING (order_no)
  WHERE a.order_no = c.order_no
    AND concat_ws(' ', a.script, a.meant) ~ CASE
          WHEN c.after = 'paid' THEN '\mpaid(_at_close)?\M'
          WHEN c.after = 'closed' AND a.expires_in IS NOT NULL THEN '\m(closed|not_found|unpaid|pending)\M'
          WHEN c.after = 'closed' THEN '\m(closed|not_found)\M' ELSE '\mrefunded\M' END
    AND (c.after = 'closed' OR (a.amount = o.amount AND a.currency = o.currency)))
UNION ALL
SELECT 'proof', format('order %s became paid, but the bank told nobody that it is', c.order_no)
FROM truth.change AS c
WHERE c.who = 'end_daemon' AND c.after = 'paid' AND NOT EXISTS (
  SELECT FROM truth.attempt AS a JOIN truth.bank_says AS b USING (number)
  WHERE a.order_no = c.order_no AND b.told_paid > 0)
UNION ALL
-- Every query is audited, and nothing is audited that was not asked. A repeated request on a connection that was
-- reset is libcurl's own.
SELECT 'audit', format('the bank was asked %s times about %s, the audit knows %s', b.asked, a.number, known.queries)
FROM truth.attempt AS a JOIN truth.bank_says AS b USING (number), truth.run AS r,
     LATERAL (SELECT count(*) FILTER (WHERE q.was_asked) AS queries,
                     count(*) FILTER (WHERE q.http_status > 0) AS answered
              FROM truth.query AS q
              WHERE q.number = a.number AND q.channel = a.channel AND NOT q.was_close) AS known
WHERE b.asked > known.queries * CASE WHEN a.script ~ 'reset|silence|cut' THEN 2 ELSE 1 END + r.kills
   OR b.asked < known.answered
UNION ALL
SELECT 'audit', format('%s questions are in no audit row', sum(b.asked) - min(known.queries))
FROM truth.bank_says AS b, truth.run AS r,
     (SELECT count(*) AS queries FROM truth.query AS q WHERE q.was_asked AND q.channel <> 'dead' AND NOT q.was_close) AS known
WHERE r.kills > 0
GROUP BY r.kills, r.questions_at_once HAVING sum(b.asked) - min(known.queries) > r.kills * r.questions_at_once
UNION ALL
SELECT 'audit', format('query of attempt %s at %s: %s %s %s %s lacks something', q.attempt_id, q.claimed_at, q.asked,
                       q.http_status, q.evidence, q.verdict)
FROM truth.query AS q
WHERE q.was_asked AND q.reason <> 'poison'
  AND ((q.request_id ~ '^[0-9a-f]{32}$' AND q.asked ~ '^(GET|POST) https://' AND q.latency_ms >= 0 AND q.rule <> ''
        AND q.instance <> '' AND q.outcome <> '' AND q.number <> '') IS NOT TRUE
       OR (q.is_answer AND (q.http_status > 0 AND q.authentic
                            AND ((q.body_digest ~ '^[0-9a-f]{64}$' AND q.code <> '') OR q.http_status = 204)
                            AND (q.evidence = 'unknown_state' OR q.channel_rule <> '')) IS NOT TRUE)
       OR (q.outcome = 'applied' AND q.verdict IN ('paid', 'closed', 'refunded')
           AND (q.status_before <> '' AND q.status_after <> '') IS NOT TRUE))
UNION ALL
-- An outage burns nothing: what counts as answers was answered.
SELECT 'outage', format('attempt %s counts %s answers, the bank gave %s', l.attempt_id, l.answers, given.answers)
FROM (SELECT attempt_id, answers FROM makegood.lost_order
      UNION ALL SELECT attempt_id, answers FROM makegood.parked_order) AS l,
     LATERAL (SELECT count(*) AS answers FROM truth.query AS q
              WHERE q.attempt_id = l.attempt_id AND q.is_answer AND q.authentic) AS given
WHERE l.answers > given.answers
UNION ALL
SELECT 'outage', format('attempt %s was ended by %s', q.attempt_id, q.evidence)
FROM truth.query AS q
WHERE NOT q.is_answer AND q.outcome <> 'fenced' AND q.reason NOT IN ('poison', 'crashes', 'unaskable')
  AND q.verdict <> 'retry';
