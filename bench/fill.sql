-- Fills both tables afresh: :orders lost orders that fall due one after the other, :gap_us microseconds apart, the
-- first of them :lead_ms from now (negative: all are due). bench.due remembers when each fell due.
CREATE SCHEMA IF NOT EXISTS bench;
DROP TABLE IF EXISTS bench.due;
TRUNCATE makegood.lost_order, makegood.parked_order, makegood.query_log, shop.orders;

INSERT INTO shop.orders (order_no, amount_minor)
SELECT format('SHOP-%s', lpad(n::text, 8, '0')), 100 + n::bigint * 7919 % 99900 FROM generate_series(1, :orders) AS n;

INSERT INTO makegood.lost_order (order_no, channel, number, amount_minor, currency, due_at)
SELECT format('SHOP-%s', lpad(n::text, 8, '0')), 'bank', format('pi_%s', lpad(n::text, 8, '0')),
       100 + n::bigint * 7919 % 99900, 'CNY', now() + :lead_ms * interval '1 ms' + n * :gap_us * interval '1 microsecond'
FROM generate_series(1, :orders) AS n;

CREATE TABLE bench.due AS SELECT order_no::text, due_at FROM makegood.lost_order;
VACUUM (ANALYZE) makegood.lost_order, makegood.query_log, shop.orders, bench.due;
CHECKPOINT;
SELECT pg_stat_statements_reset(), pg_stat_reset_single_table_counters('makegood.lost_order'::regclass);
