-- 2,000 payers were charged and no notification came. Run as the shop: its orders, and the one call it makes to
-- makegood, in its own transaction. What expires names it; UnionPay wants the time of the payment as well. Whoever is first
-- in the table is asked first, the rest in an order that mixes all fates, over two seconds.
BEGIN;
INSERT INTO shop.orders (order_no, total_cents) SELECT order_no, amount FROM demo.lost ORDER BY order_no;
SELECT count(makegood.track(
         p_order_no => lost.order_no, p_channel => fate.channel, p_amount_minor => lost.amount, p_currency => 'CNY',
         p_number => lost.number,
         p_expires_at => now() + fate.expires * interval '1 second',
         p_channel_data => CASE fate.channel WHEN 'unionpay' THEN '{"txn_time": "20261123080000"}'::jsonb END,
         p_due_in => CASE WHEN fate.place = 1 THEN interval '0'
                          ELSE ('x' || substr(md5(lost.order_no), 1, 7))::bit(28)::int % 2000
                               * interval '1 millisecond' END)) AS lost_orders
FROM demo.lost JOIN demo.fate USING (place);
COMMIT;
