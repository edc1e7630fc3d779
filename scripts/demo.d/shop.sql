-- The demo's shop: an order table of its own taste (amounts in cents, states as text) with triggers of its own, in a
-- schema that is on no one's search_path. Run as the cluster's superuser, before makegood comes.
CREATE ROLE webshop LOGIN;
CREATE SCHEMA shop AUTHORIZATION webshop;
SET ROLE webshop;
SET search_path = shop;

CREATE TABLE orders (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_no    text NOT NULL UNIQUE,
  state       text NOT NULL DEFAULT 'paying' CHECK (state IN ('created', 'paying', 'paid', 'shipped', 'closed',
                                                              'refunded')),
  total_cents bigint NOT NULL CHECK (total_cents > 0),
  currency    text NOT NULL DEFAULT 'CNY',
  gateway_ref text,
  paid_at     timestamptz,
  version     integer NOT NULL DEFAULT 1
);
CREATE TABLE order_event (
  order_no   text NOT NULL,
  state_from text NOT NULL,
  state_to   text NOT NULL,
  at         timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The shop's own rules. They name its tables without the schema, as code that grew up on one search_path does.
CREATE FUNCTION order_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state IN ('closed', 'refunded') AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'order % is %, which is final', OLD.order_no, OLD.state;
  END IF;
  NEW.version := OLD.version + 1;
  RETURN NEW;
END
$$;
CREATE FUNCTION order_remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO order_event (order_no, state_from, state_to) VALUES (NEW.order_no, OLD.state, NEW.state);
  RETURN NULL;
END
$$;
CREATE TRIGGER order_touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION order_touch();
CREATE TRIGGER order_remember AFTER UPDATE OF state ON orders FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION order_remember();

RESET ROLE;

-- What the demo knows and makegood does not: every order's fate.
CREATE SCHEMA demo;
CREATE TABLE demo.fate (
  place   integer PRIMARY KEY,
  orders  integer NOT NULL,
  channel text NOT NULL,
  fate    text NOT NULL,
  ending  text NOT NULL,
  expires integer -- seconds
);
CREATE TABLE demo.lost (
  order_no text PRIMARY KEY,
  number   text NOT NULL,
  amount   bigint NOT NULL,
  place    integer NOT NULL REFERENCES demo.fate
);
CREATE TABLE demo.message ( -- at the broker at the end; the shop's own body tells no answers
  body     jsonb NOT NULL,
  order_no text GENERATED ALWAYS AS (body->>'order_no') STORED,
  answers  integer GENERATED ALWAYS AS (coalesce((body->>'answers')::integer, 0)) STORED
);
CREATE TABLE demo.bank_says (number text PRIMARY KEY, asked integer NOT NULL, told_paid integer NOT NULL);
GRANT USAGE ON SCHEMA demo TO webshop;
GRANT SELECT ON demo.fate, demo.lost TO webshop;
