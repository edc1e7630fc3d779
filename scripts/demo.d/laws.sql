-- What must hold whatever the fates were: law, how many break it. Run by scripts/demo as the superuser, after the
-- bank's own count of what it told was loaded into demo.bank_says. A killed daemon's last questions have no audit row (killed).
SELECT 'orders paid that the bank never called paid', count(*)
FROM shop.orders JOIN demo.lost USING (order_no) JOIN demo.bank_says USING (number)
WHERE orders.state = 'paid' AND told_paid = 0
UNION ALL
SELECT 'orders whose state changed twice', count(*)
FROM (SELECT order_no FROM shop.order_event GROUP BY order_no HAVING count(*) > 1) AS twice
UNION ALL
SELECT 'orders that ended without an audit row saying why', count(*)
FROM shop.orders
WHERE state <> 'paying' AND NOT EXISTS (
  SELECT FROM makegood.query_log AS q
  WHERE q.order_no = orders.order_no AND q.outcome = 'applied' AND q.verdict = orders.state)
UNION ALL
SELECT 'orders in two places at once', count(*)
FROM makegood.lost_order JOIN makegood.parked_order USING (order_no)
\if :killed
\else
UNION ALL
SELECT 'ended or parked orders that the bank was asked about more often than the audit knows', count(*)
FROM demo.bank_says JOIN demo.lost USING (number) JOIN demo.fate USING (place)
WHERE ending <> 'waiting' AND asked > (SELECT count(*) FROM makegood.query_log AS q WHERE q.order_no = lost.order_no)
\endif
UNION ALL
SELECT 'dead accounts that were never asked', count(*)
FROM (SELECT DISTINCT channel FROM demo.fate WHERE ending = 'waiting') AS dead
WHERE NOT EXISTS (SELECT FROM makegood.query_log AS q WHERE q.channel = dead.channel);
