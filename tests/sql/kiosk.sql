-- The kiosk's shop: cents, text statuses, a text key, and triggers of its own that find their tables by search_path.
CREATE SCHEMA kiosk AUTHORIZATION t_kiosk_owner;
SET ROLE t_kiosk_owner;
CREATE TABLE kiosk.orders (
  order_no    text PRIMARY KEY,
  state       text NOT NULL,
  total       bigint NOT NULL,
  currency    character(3) NOT NULL,
  pay_channel character varying(32),
  trade_no    character varying(64),
  paid_at     timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now(),
  expires_at  timestamptz
);
CREATE TABLE kiosk.order_history (order_no text NOT NULL REFERENCES kiosk.orders DEFERRABLE INITIALLY DEFERRED,
                                  was text NOT NULL, became text NOT NULL);

CREATE FUNCTION kiosk.remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO order_history VALUES (NEW.order_no, OLD.state, NEW.state);
  RETURN NULL;
END
$$;
CREATE TRIGGER remember AFTER UPDATE OF state ON kiosk.orders FOR EACH ROW EXECUTE FUNCTION kiosk.remember();

-- Two orders nobody can settle: one is held back in silence, one with an error.
CREATE FUNCTION kiosk.guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.total = 66600 THEN
    RETURN NULL;
  ELSIF NEW.total = 66601 THEN
    RAISE EXCEPTION 'the kiosk does not want this';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER guard BEFORE UPDATE ON kiosk.orders FOR EACH ROW EXECUTE FUNCTION kiosk.guard();
RESET ROLE;
