-- One line per fate: channel, fate, orders, how they must end, how they ended, ok. Run by scripts/demo as the superuser.
WITH waiting AS (
  SELECT order_no, max(answers) AS answers
  FROM (SELECT order_no, answers FROM makegood.lost_order
        UNION ALL
        SELECT message.order_no, message.answers FROM demo.message JOIN shop.orders USING (order_no)
        WHERE orders.state = 'paying') AS either
  GROUP BY order_no
), seen AS (
  SELECT lost.place,
         CASE
           WHEN parked.order_no IS NOT NULL AND orders.state = 'paying' THEN 'parked ' || parked.reason
           WHEN parked.order_no IS NOT NULL THEN orders.state || ' and parked ' || parked.reason
           WHEN waiting.order_no IS NULL THEN orders.state
           WHEN waiting.answers > 0 THEN 'waiting after ' || waiting.answers || ' answers'
           WHEN orders.state = 'paying' THEN 'waiting'
           ELSE orders.state || ' and waiting'
         END AS ending
  FROM demo.lost
  JOIN shop.orders USING (order_no)
  LEFT JOIN makegood.parked_order AS parked USING (order_no)
  LEFT JOIN waiting USING (order_no)
), counted AS (
  SELECT place, ending, count(*) AS orders FROM seen GROUP BY place, ending
), told AS (
  SELECT place, sum(orders) AS orders, string_agg(ending || ' ' || orders, ', ' ORDER BY orders DESC) AS text
  FROM counted GROUP BY place
)
SELECT fate.channel, fate.fate, fate.orders, fate.ending || ' ' || fate.orders, told.text,
       CASE WHEN told.text = fate.ending || ' ' || fate.orders THEN 'ok' ELSE 'DIFFERS' END
FROM demo.fate JOIN told USING (place)
ORDER BY place;
