-- The benchmarks' shop: the plainest order table, so that makegood's own cost is what is seen. Run once as the
-- cluster's superuser, before makegood comes.
CREATE EXTENSION pg_stat_statements;
CREATE ROLE webshop;
CREATE SCHEMA shop AUTHORIZATION webshop;
SET ROLE webshop;
CREATE TABLE shop.orders (
  order_no       text PRIMARY KEY,
  status         text NOT NULL DEFAULT 'paying',
  amount_minor   bigint NOT NULL,
  currency       text NOT NULL DEFAULT 'CNY',
  channel_number text,
  paid_at        timestamptz
);
RESET ROLE;
CREATE ROLE bench_limit LOGIN SUPERUSER;
