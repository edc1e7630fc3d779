-- The ledger: roles, words and tables of makegood. Everything in the schema belongs to makegood_owner, who can not
-- log in; whoever works with it is a member of one of the groups and calls functions (009_grants.sql).
--
-- Applied once by `makegood migrate`, in one transaction, as a superuser or as a role with CREATEROLE that owns the
-- database. PostgreSQL 13 and later.

-- Roles belong to the whole cluster: another database may have made them already.
DO $$
DECLARE
  missing text;
BEGIN
  FOREACH missing IN ARRAY ARRAY['makegood_owner', 'makegood_daemon', 'makegood_shop', 'makegood_operator',
                                 'makegood_reader'] LOOP
    BEGIN
      IF to_regrole(missing) IS NULL THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', missing);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL; -- another migration was faster
    END;
  END LOOP;
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT makegood_owner TO %I', current_user);
  END IF;
END
$$;

ALTER SCHEMA makegood OWNER TO makegood_owner;
ALTER TABLE makegood.schema_version OWNER TO makegood_owner;

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- What makegood_owner makes here from now on is nobody else's until it is granted.
ALTER DEFAULT PRIVILEGES FOR ROLE makegood_owner REVOKE ALL ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE makegood_owner REVOKE ALL ON TYPES FROM PUBLIC;

-- Words. A domain checks a value when it enters a column; a plain CHECK would do it again with every claim.
CREATE DOMAIN order_number AS text COLLATE "C" CHECK (VALUE ~ '^[A-Za-z0-9_|*-]{1,64}$');
CREATE DOMAIN channel_name AS text COLLATE "C" CHECK (VALUE ~ '^[a-z0-9_-]{1,32}$');
CREATE DOMAIN currency_code AS text COLLATE "C" CHECK (VALUE ~ '^[A-Z]{3}$');
CREATE DOMAIN minor_amount AS bigint CHECK (VALUE > 0);
CREATE DOMAIN short_text AS text COLLATE "C" CHECK (octet_length(VALUE) <= 64);
CREATE DOMAIN phase_name AS text COLLATE "C" CHECK (VALUE IN ('open', 'closing', 'check', 'tail'));
CREATE DOMAIN method_name AS text COLLATE "C" CHECK (octet_length(VALUE) <= 32);
CREATE DOMAIN channel_object AS jsonb
  CHECK (jsonb_typeof(VALUE) = 'object' AND octet_length(VALUE::text) <= 1000);

-- A time that claims reckon with: an infinite one would fail every claim that meets it.
CREATE DOMAIN finite_time AS timestamptz CHECK (isfinite(VALUE));

-- One row per payment attempt whose result is unknown. It goes when the attempt is settled.
-- A claim moves due_at to the end of its lease and sets the token: that is all there is to a lease.
-- A claim enters each row into every index once more: half-empty index pages have room for that.
CREATE TABLE lost_order (
  attempt_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY WITH (fillfactor = 50),
  order_no     order_number NOT NULL,
  channel      channel_name NOT NULL,
  number       order_number,                        -- what the channel knows the payment by
  attempt      short_text   NOT NULL DEFAULT '',    -- tells apart several tries on one channel
  method       method_name,
  channel_data channel_object,                      -- what the channel needs beside the number
  amount_minor minor_amount NOT NULL,
  currency     currency_code NOT NULL,
  created_at   finite_time  NOT NULL DEFAULT now(),
  expires_at   finite_time,
  due_at       timestamptz  NOT NULL,
  token        uuid,                                -- the fence: of the claim that may settle this row
  claimed_at   timestamptz,
  claimed_by   text,
  claims       integer      NOT NULL DEFAULT 0,     -- since the last settlement
  phase        phase_name   NOT NULL DEFAULT 'open', -- of its life: closing and check at its end, tail after it
  answers      integer      NOT NULL DEFAULT 0,
  errors       integer      NOT NULL DEFAULT 0,     -- since the last answer
  unknowns     integer      NOT NULL DEFAULT 0,     -- in a row
  CONSTRAINT lost_order_attempt UNIQUE (order_no, channel, attempt) WITH (fillfactor = 50)
) WITH (
  fillfactor = 90,                                  -- more buys nothing: due_at is indexed, no update is HOT
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0,                 -- dead rows in front of the queue slow every claim
  autovacuum_analyze_scale_factor = 0.05
);
CREATE INDEX lost_order_due ON lost_order (channel, due_at);
-- Rows of orders that are closed: no backlog. The index is there to tell how many they are.
CREATE INDEX lost_order_tail ON lost_order (attempt_id) WHERE phase = 'tail';

-- The same rows out of the cycle, for a person to decide. Looser than lost_order: an order that could not be tracked
-- (reason untrackable) may lack anything, even a number.
CREATE TABLE parked_order (
  LIKE lost_order,
  reason    text NOT NULL CHECK (reason ~ '^[a-z_]{1,32}$'),
  detail    text NOT NULL DEFAULT '',
  parked_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (attempt_id)
);
ALTER TABLE parked_order
  ALTER attempt_id SET DEFAULT nextval('lost_order_attempt_id_seq'),
  ALTER order_no TYPE text, ALTER order_no DROP NOT NULL,
  ALTER channel TYPE text, ALTER channel DROP NOT NULL,
  ALTER number TYPE text,
  ALTER attempt TYPE text, ALTER attempt SET DEFAULT '',
  ALTER amount_minor TYPE bigint, ALTER amount_minor DROP NOT NULL,
  ALTER currency TYPE text, ALTER currency DROP NOT NULL,
  ALTER created_at SET DEFAULT now(),
  ALTER due_at SET DEFAULT now(),
  ALTER claims SET DEFAULT 0,
  ALTER phase SET DEFAULT 'open',
  ALTER answers SET DEFAULT 0,
  ALTER errors SET DEFAULT 0,
  ALTER unknowns SET DEFAULT 0;
CREATE INDEX parked_order_order ON parked_order (order_no, channel);

-- The audit: one row for every query, also when nothing changed. Written once, by settle; never changed.
CREATE TABLE query_log (
  claimed_at     timestamptz NOT NULL,              -- with token and attempt_id: the claim that asked
  token          uuid        NOT NULL,
  attempt_id     bigint      NOT NULL,
  logged_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  instance       text        NOT NULL,              -- the daemon
  order_no       text COLLATE "C" NOT NULL,
  channel        text        NOT NULL,
  number         text,
  -- what was asked, and what came back
  asked          text,                              -- method and URL, no secrets
  request_id     text,
  http_status    integer,
  latency_ms     integer,
  body_digest    text,                              -- SHA-256 of the body
  evidence       text        NOT NULL,              -- what the answer proves
  authentic      boolean     NOT NULL,
  amount_minor   bigint,
  currency       text,
  channel_number text,                              -- the channel's own number of the payment
  code           text,                              -- the channel's own status or error code
  channel_rule   text,                              -- the channel's rule that read the answer
  -- what was decided
  verdict        text        NOT NULL,
  reason         text        NOT NULL,              -- why it was parked, else ''
  rule           text        NOT NULL,              -- the row of decide
  detail         text,
  due_in_ms      bigint,
  phase          text,                              -- of the row from now on
  answers        integer,
  errors         integer,
  unknowns       integer,
  -- what became of it
  outcome        text        NOT NULL,
  status_before  text,                              -- of the shop's order
  status_after   text,
  -- A claim's row: claimed_at, token, attempt_id. The order that the attempt is of stands before them, so that the same
  -- index tells an order's history.
  PRIMARY KEY (order_no, claimed_at, token, attempt_id)
) PARTITION BY RANGE (claimed_at);
CREATE TABLE query_log_default PARTITION OF query_log DEFAULT;

-- A tripwire: it costs an insert nothing. Retention detaches whole months.
CREATE FUNCTION query_log_is_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION 'makegood.query_log is never changed'
    USING ERRCODE = 'insufficient_privilege', HINT = 'Detach a whole month to end its retention.';
END
$$;
CREATE TRIGGER query_log_is_final BEFORE UPDATE OR DELETE ON query_log
  FOR EACH ROW EXECUTE FUNCTION query_log_is_final();

-- What the daemons of this database ask; announced by them, for track().
CREATE TABLE channel (
  name           channel_name PRIMARY KEY,
  first_delay_ms bigint NOT NULL CHECK (first_delay_ms >= 0),
  announced_at   timestamptz NOT NULL DEFAULT now()
);

-- The shop's order table as install_mapping() found it; at most one row. `definition` is the configuration's
-- section, the rest is what settle reads with every call. Statuses are written as the order table writes them.
CREATE TABLE mapping (
  only_one       boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  definition     jsonb       NOT NULL,
  hash           text        NOT NULL,
  installed_at   timestamptz NOT NULL DEFAULT now(),
  order_table    regclass    NOT NULL,
  unpaid         text[]      NOT NULL,
  paid_write     text        NOT NULL,
  paid_from      text[]      NOT NULL,              -- may be left for paid
  paid_here      text[]      NOT NULL,              -- mean paid: write and also
  late_from      text[]      NOT NULL,              -- may be left for paid by a late payment that is accepted
  closed_write   text        NOT NULL,
  closed_from    text[]      NOT NULL,
  closed_here    text[]      NOT NULL,
  refunded_write text,                              -- null: refunds are parked
  refunded_from  text[]      NOT NULL,
  refunded_here  text[]      NOT NULL,
  has_channel    boolean     NOT NULL,
  has_number     boolean     NOT NULL
);

-- A shop may write "never" as infinity; to us that is no time at all.
CREATE FUNCTION finite_or_null(p_time timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN isfinite(p_time) THEN p_time END
$$;

-- Decimals of a currency by ISO 4217; null when the code is unknown.
CREATE FUNCTION currency_exponent(p_currency text) RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE
    WHEN p_currency = ANY (
      '{BIF,CLP,DJF,GNF,ISK,JPY,KMF,KRW,PYG,RWF,UGX,UYI,VND,VUV,XAF,XOF,XPF}'::text[]) THEN 0
    WHEN p_currency = ANY ('{BHD,IQD,JOD,KWD,LYD,OMR,TND}'::text[]) THEN 3
    WHEN p_currency = ANY ('{CLF,UYW}'::text[]) THEN 4
    WHEN p_currency = ANY (
      '{AED,AFN,ALL,AMD,ANG,AOA,ARS,AUD,AWG,AZN,BAM,BBD,BDT,BGN,BMD,BND,BOB,BOV,BRL,BSD,BTN,BWP,BYN,BZD,CAD,CDF,
        CHE,CHF,CHW,CNY,COP,COU,CRC,CUC,CUP,CVE,CZK,DKK,DOP,DZD,EGP,ERN,ETB,EUR,FJD,FKP,GBP,GEL,GHS,GIP,GMD,GTQ,
        GYD,HKD,HNL,HTG,HUF,IDR,ILS,INR,IRR,JMD,KES,KGS,KHR,KPW,KYD,KZT,LAK,LBP,LKR,LRD,LSL,MAD,MDL,MGA,MKD,
        MMK,MNT,MOP,MRU,MUR,MVR,MWK,MXN,MXV,MYR,MZN,NAD,NGN,NIO,NOK,NPR,NZD,PAB,PEN,PGK,PHP,PKR,PLN,QAR,RON,RSD,
        RUB,SAR,SBD,SCR,SDG,SEK,SGD,SHP,SLE,SOS,SRD,SSP,STN,SVC,SYP,SZL,THB,TJS,TMT,TOP,TRY,TTD,TWD,TZS,UAH,
        USD,USN,UYU,UZS,VED,VES,WST,XCD,YER,ZAR,ZMW,ZWG,ZWL}'::text[]) THEN 2
  END
$$;

-- 12.34 and CNY -> 1234; null when it is not whole, out of range, or the currency is unknown.
CREATE FUNCTION minor_of(p_amount numeric, p_currency text) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE
    WHEN p_amount BETWEEN -90000000000000 AND 90000000000000 AND scaled.amount = trunc(scaled.amount)
    THEN scaled.amount::bigint
  END
  FROM (SELECT p_amount * ('{1,10,100,1000,10000}'::numeric[])[makegood.currency_exponent(p_currency) + 1]
       ) AS scaled (amount)
$$;

RESET ROLE;
