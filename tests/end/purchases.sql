-- Shop B of the end suites, as different as can be: bigint keys, decimals, integer statuses (0 new, 1 paying, 2 paid,
-- 3 shipped, 9 closed), one currency that no column names, a schema on no search_path, and an owner who is not the
-- role that the shop works with. The channel's own number is mapped. Runs as the superuser, before makegood comes.
CREATE SCHEMA shop AUTHORIZATION end_vault;
SET ROLE end_vault;
CREATE DOMAIN shop.price AS numeric(12, 2);
CREATE TABLE shop.purchases (
  id       bigint PRIMARY KEY,
  state    integer NOT NULL DEFAULT 1,
  price    shop.price,
  trade_no varchar(64),
  paid_on  timestamp
);
CREATE TABLE shop.purchase_history (
  id         bigint NOT NULL,
  state_from integer NOT NULL,
  state_to   integer NOT NULL,
  who        text NOT NULL DEFAULT session_user,
  at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION shop.purchase_remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO purchase_history (id, state_from, state_to) VALUES (NEW.id, OLD.state, NEW.state);
  RETURN NULL;
END
$$;
CREATE TRIGGER purchase_remember AFTER UPDATE OF state ON shop.purchases
  FOR EACH ROW EXECUTE FUNCTION shop.purchase_remember();
GRANT USAGE ON SCHEMA shop TO end_shop;
GRANT SELECT, INSERT, UPDATE ON shop.purchases TO end_shop;
GRANT SELECT, INSERT ON shop.purchase_history TO end_shop;
RESET ROLE;

CREATE SCHEMA truth;
CREATE VIEW truth.shop_order AS
  SELECT id::text AS order_no, CASE WHEN state IN (0, 1) THEN 'unpaid' WHEN state IN (2, 3) THEN 'paid'
                                    WHEN state = 9 THEN 'closed' ELSE state::text END AS status,
         (price * 100)::bigint AS amount, 'CNY'::text AS currency, trade_no::text AS channel_number
  FROM shop.purchases;
CREATE VIEW truth.change AS
  SELECT h.id::text AS order_no, CASE WHEN h.state_from IN (0, 1) THEN 'unpaid' WHEN h.state_from = 2 THEN 'paid'
                                      WHEN h.state_from = 9 THEN 'closed' ELSE h.state_from::text END AS before,
         CASE WHEN h.state_to IN (0, 1) THEN 'unpaid' WHEN h.state_to = 2 THEN 'paid'
              WHEN h.state_to = 9 THEN 'closed' ELSE h.state_to::text END AS after, h.who, h.at
  FROM shop.purchase_history AS h;
