-- 2,000 payers were charged and no notification came. Run as the shop: its orders; then, line by line for makegood-mail, the
-- messages that it sends once the channel has taken the payment, due like the rows of lose.sql, but three seconds later. Their
-- keys: doc/operations.md.
-- With chaos they fall due over so many milliseconds; every second order is tracked by a row as well, as its safety net, and of
-- those every fifth message never reaches the broker; some are sent twice, by the same identifier or by another one.
\if :{?chaos}
\else
  \set chaos 0
\endif
INSERT INTO shop.orders (order_no, total_cents) SELECT order_no, amount FROM demo.lost ORDER BY order_no;

CREATE TEMPORARY TABLE letter AS
SELECT lost.order_no, lost.number, lost.amount, fate.channel, d.draw, d.draw % 2 = 0 AND :chaos > 0 AS has_net,
       now() + fate.expires * interval '1 second' AS expires_at,
       floor(extract(epoch FROM now()) * 1000)::bigint + 3000
       + CASE WHEN fate.place > 1 THEN d.draw / 100 % CASE WHEN :chaos > 0 THEN :chaos ELSE 2000 END ELSE 0 END AS deliver_ms
FROM demo.lost JOIN demo.fate USING (place)
CROSS JOIN LATERAL (SELECT ('x' || substr(md5(lost.order_no || :'seed'), 1, 7))::bit(28)::int) AS d (draw);

DO $$
BEGIN
  PERFORM makegood.track(p_order_no => order_no, p_channel => channel, p_amount_minor => amount, p_currency => 'CNY',
                         p_number => number, p_expires_at => expires_at,
                         p_channel_data => CASE channel WHEN 'unionpay' THEN '{"txn_time": "20261123080000"}'::jsonb END,
                         p_due_in => interval '40 seconds')
  FROM letter WHERE has_net;
END
$$;

SELECT 'lost_' || channel, deliver_ms, copy.prefix || order_no,
       json_strip_nulls(json_build_object(
         'order_no', order_no, 'channel', channel, 'number', number, 'amount_minor', amount, 'currency', 'CNY',
         'expires_at_ms', floor(extract(epoch FROM expires_at) * 1000)::bigint,
         'channel_data', CASE channel WHEN 'unionpay' THEN '{"txn_time": "20261123080000"}'::json END))
FROM letter
JOIN (VALUES (1, 'order-'), (2, 'order-'), (3, 'again-')) AS copy (place, prefix)
  ON copy.place = 1 OR (:chaos > 0 AND draw / 10 % 10 = copy.place)
WHERE NOT (has_net AND draw / 2 % 5 = 0)
ORDER BY deliver_ms;
