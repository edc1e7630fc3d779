-- Shop A of the end suites: text keys, cents, text statuses, a currency column, triggers of its own. Its history counts
-- every change of a status, with the role that made it. Runs as the superuser, before makegood comes.
GRANT ALL ON SCHEMA public TO end_shop;
SET ROLE end_shop;

CREATE TABLE public.orders (
  order_no    text PRIMARY KEY,
  status      text NOT NULL DEFAULT 'paying',
  total_cents bigint,
  currency    text,
  paid_at     timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now(),
  version     integer NOT NULL DEFAULT 1
);
CREATE TABLE public.order_history (
  order_no    text NOT NULL,
  status_from text NOT NULL,
  status_to   text NOT NULL,
  who         text NOT NULL DEFAULT session_user,
  at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION public.order_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + 1;
  RETURN NEW;
END
$$;
-- Names its table without the schema, as code that grew up on one search_path does.
CREATE FUNCTION public.order_remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO order_history (order_no, status_from, status_to) VALUES (NEW.order_no, OLD.status, NEW.status);
  RETURN NULL;
END
$$;
CREATE TRIGGER order_touch BEFORE UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION order_touch();
CREATE TRIGGER order_remember AFTER UPDATE OF status ON public.orders FOR EACH ROW EXECUTE FUNCTION order_remember();
RESET ROLE;

CREATE SCHEMA truth;
CREATE VIEW truth.shop_order AS
  SELECT order_no, CASE WHEN status IN ('created', 'paying') THEN 'unpaid' WHEN status = 'shipped' THEN 'paid'
                        ELSE status END AS status,
         total_cents AS amount, currency, NULL::text AS channel_number
  FROM public.orders;
CREATE VIEW truth.change AS
  SELECT h.order_no, CASE WHEN h.status_from IN ('created', 'paying') THEN 'unpaid' ELSE h.status_from END AS before,
         CASE WHEN h.status_to IN ('created', 'paying') THEN 'unpaid' ELSE h.status_to END AS after, h.who, h.at
  FROM public.order_history AS h;
