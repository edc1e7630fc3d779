-- The audit holds: query_log is sealed, off the hot path, into a chain of hashes. A link is the hash of its rows and of
-- the link before it, so that a row or a link that is changed, removed or slipped in later is found; whoever changes all
-- that follows as well is found by an anchor that is kept elsewhere.
--
-- Rows are sealed in the order of their transactions, which is known only when these have ended: `xact` is the
-- transaction that wrote the row, and what is sealed is older than the oldest one that still runs. A link's rows are of
-- one month, so that whole months can be detached. Rows from before this file have no xact; 015_audit_old.sql seals them.

-- The column is added and read as the owner of the tables, with nobody writing meanwhile.
SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO';

ALTER TABLE query_log ADD xact bigint;
ALTER TABLE query_log ALTER xact SET DEFAULT pg_current_xact_id()::text::bigint;
CREATE INDEX query_log_xact ON query_log USING brin (xact) WITH (pages_per_range = 16, autosummarize = on);

CREATE TABLE audit_link (
  number    bigint PRIMARY KEY CHECK (number > 0),   -- without gaps
  month     timestamptz NOT NULL,                    -- of its rows' claimed_at, in UTC
  from_xact bigint,                                  -- not below; null: the rows from before there was a chain
  upto_xact bigint,                                  -- below
  rows      bigint      NOT NULL CHECK (rows > 0),
  digest    bytea       NOT NULL,                    -- of its rows
  hash      bytea       NOT NULL,                    -- of all this and the hash of the link before
  sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (from_xact < upto_xact)
);
CREATE INDEX audit_link_month ON audit_link (month, from_xact, upto_xact);
CREATE FUNCTION audit_link_is_final() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION 'makegood.audit_link is never changed' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_link_is_final BEFORE UPDATE OR DELETE ON audit_link
  FOR EACH ROW EXECUTE FUNCTION audit_link_is_final();
REVOKE UPDATE, DELETE, TRUNCATE ON audit_link FROM makegood_owner;

-- ---- hashes ----

-- What is hashed of a row: its values in this order for ever; columns that come later are not among them. The caller sets
-- timezone and datestyle.
CREATE FUNCTION audit_row_hash(q query_log) RETURNS bytea
LANGUAGE sql STABLE
AS $$
  SELECT sha256(convert_to(ROW (
    q.xact, q.claimed_at, q.token, q.attempt_id, q.logged_at, q.instance, q.order_no, q.channel, q.number, q.asked,
    q.request_id, q.http_status, q.latency_ms, q.body_digest, q.evidence, q.authentic, q.amount_minor, q.currency,
    q.channel_number, q.code, q.channel_rule, q.verdict, q.reason, q.rule, q.detail, q.due_in_ms, q.phase, q.answers,
    q.errors, q.unknowns, q.outcome, q.status_before, q.status_after)::text, 'UTF8'))
$$;

CREATE FUNCTION audit_link_hash(p_before bytea, p_number bigint, p_month timestamptz, p_from bigint, p_upto bigint,
                                p_rows bigint, p_digest bytea) RETURNS bytea
LANGUAGE sql STABLE
AS $$
  SELECT sha256(p_before || convert_to(ROW (p_number, p_month, p_from, p_upto, p_rows)::text, 'UTF8') || p_digest)
$$;

CREATE FUNCTION month_of(p_moment timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SET timezone = 'UTC'
AS $$
  SELECT date_trunc('month', p_moment)
$$;

-- How many rows of a month lie between two transactions (null: without one), and their digest.
CREATE FUNCTION audit_digest(p_month timestamptz, p_from bigint, p_upto bigint, OUT rows bigint, OUT digest bytea)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
SET jit = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  month_end timestamptz := p_month + interval '1 month';
BEGIN
  SELECT count(*), sha256(coalesce(string_agg(audit_row_hash(q), ''::bytea
                                              ORDER BY q.xact, q.order_no, q.claimed_at, q.token, q.attempt_id), ''))
  INTO rows, digest
  FROM query_log AS q
  WHERE q.claimed_at >= p_month AND q.claimed_at < month_end
    AND (q.xact >= p_from AND q.xact < p_upto OR p_from IS NULL AND q.xact IS NULL);
END
$$;

-- ---- sealing ----

CREATE FUNCTION audit_append(p_month timestamptz, p_from bigint, p_upto bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
DECLARE
  found  record;
  before record;
BEGIN
  SELECT d.rows, d.digest INTO found FROM audit_digest(p_month, p_from, p_upto) AS d;
  IF found.rows = 0 THEN
    RETURN 0;
  END IF;
  SELECT l.number, l.hash INTO before FROM audit_link AS l ORDER BY l.number DESC LIMIT 1;
  INSERT INTO audit_link (number, month, from_xact, upto_xact, rows, digest, hash)
  VALUES (coalesce(before.number, 0) + 1, p_month, p_from, p_upto, found.rows, found.digest,
          audit_link_hash(coalesce(before.hash, ''), coalesce(before.number, 0) + 1, p_month, p_from, p_upto, found.rows,
                          found.digest));
  RETURN found.rows;
END
$$;

-- Seals about p_most rows of transactions that have ended, whole transactions. Returns how many rows; 0 as well while
-- another daemon seals. Asked for every minute, and again at once while it seals that many.
CREATE FUNCTION seal(p_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
  sealed  bigint;
  horizon bigint;
  last    bigint;
  found   bigint;
  upto    bigint;
  total   bigint := 0;
  month   timestamptz;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('makegood seal', 0)) THEN
    RETURN 0;
  END IF;
  sealed := coalesce((SELECT max(l.upto_xact) FROM audit_link AS l), 0); -- not before the lock: another may have sealed
  horizon := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
  IF horizon < sealed THEN
    RAISE EXCEPTION 'makegood: transactions are numbered below the audit''s chain, so nothing can be sealed'
      USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'This database was restored from a dump; doc/operations.md tells how to set the numbers on.';
  END IF;
  -- Not in order, which would cost a sort of all that is unsealed: rows lie about as they were written.
  SELECT max(o.xact), count(*) INTO last, found
  FROM (SELECT q.xact FROM query_log AS q WHERE q.xact >= sealed AND q.xact < horizon LIMIT p_most) AS o;
  IF found = 0 THEN
    RETURN 0;
  END IF;
  upto := CASE WHEN found < p_most THEN horizon ELSE last + 1 END;
  FOR month IN
    SELECT DISTINCT month_of(q.claimed_at) FROM query_log AS q WHERE q.xact >= sealed AND q.xact < upto ORDER BY 1
  LOOP
    total := total + audit_append(month, sealed, upto);
  END LOOP;
  RETURN total;
END
$$;

-- ---- verifying ----

-- The oldest month whose rows are here; before it, links can only be checked against each other.
CREATE FUNCTION audit_oldest_month() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp SET timezone = 'UTC'
AS $$
  SELECT coalesce(min(to_timestamp(substr(c.relname, 11), 'YYYY_MM')), '-infinity')
  FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
  WHERE i.inhparent = 'makegood.query_log'::regclass AND c.relname ~ '^query_log_\d{4}_\d{2}$'
$$;

-- Links from p_number on, p_most of them: what is wrong with each ('': nothing), and how many of its rows were read again
-- (null: their month was detached, and nothing of it is here).
CREATE FUNCTION audit_verify(p_number bigint, p_most integer)
RETURNS TABLE (number bigint, fault text, rows bigint, hash text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
SET timezone = 'UTC' SET datestyle = 'ISO' SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
  link   audit_link;
  before bytea := coalesce((SELECT l.hash FROM audit_link AS l WHERE l.number = p_number - 1), '');
  wanted bigint := p_number;
  oldest timestamptz := audit_oldest_month();
  found  bytea;
BEGIN
  FOR link IN SELECT l.* FROM audit_link AS l WHERE l.number >= p_number ORDER BY l.number LIMIT p_most LOOP
    rows := NULL;
    fault := '';
    IF link.number <> wanted THEN
      fault := format('link %s is missing', wanted);
    ELSIF link.hash <> audit_link_hash(before, link.number, link.month, link.from_xact, link.upto_xact, link.rows,
                                       link.digest) THEN
      fault := 'the link was changed, or the one before it';
    ELSE
      SELECT d.rows, d.digest INTO rows, found FROM audit_digest(link.month, link.from_xact, link.upto_xact) AS d;
      IF rows = 0 AND link.month < oldest THEN
        rows := NULL;
      ELSIF rows <> link.rows THEN
        fault := format('%s rows were sealed and %s are there', link.rows, rows);
      ELSIF found <> link.digest THEN
        fault := 'a row was changed';
      END IF;
    END IF;
    number := link.number;
    hash := encode(link.hash, 'hex');
    RETURN NEXT;
    before := link.hash;
    wanted := link.number + 1;
  END LOOP;
END
$$;

-- The chain as a whole: its end, what is not sealed yet, and rows that stand outside of it and must not be there.
CREATE FUNCTION audit_state() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET enable_seqscan = off SET jit = off
AS $$
  SELECT jsonb_build_object(
    'links', coalesce((SELECT max(l.number) FROM audit_link AS l), 0),
    'rows', coalesce((SELECT sum(l.rows) FROM audit_link AS l), 0),
    'hash', (SELECT encode(l.hash, 'hex') FROM audit_link AS l ORDER BY l.number DESC LIMIT 1),
    'sealed_at', (SELECT max(l.sealed_at) FROM audit_link AS l),
    'unsealed', (SELECT count(*) FROM query_log AS q
                 WHERE q.xact >= coalesce((SELECT max(l.upto_xact) FROM audit_link AS l), 0)),
    'oldest_unsealed', (SELECT min(q.logged_at) FROM query_log AS q
                        WHERE q.xact >= coalesce((SELECT max(l.upto_xact) FROM audit_link AS l), 0)))
$$;

-- Rows in months that no link speaks of, though their transactions were sealed, or that have none.
CREATE FUNCTION audit_outside() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET timezone = 'UTC' SET jit = off
AS $$
  SELECT coalesce(sum(g.rows), 0)::bigint
  FROM (SELECT date_trunc('month', q.claimed_at) AS month, q.xact, count(*) AS rows
        FROM query_log AS q
        WHERE coalesce(q.xact < (SELECT max(l.upto_xact) FROM audit_link AS l), q.xact IS NULL)
        GROUP BY 1, 2) AS g
  WHERE CASE WHEN g.xact IS NULL
             THEN NOT EXISTS (SELECT FROM audit_link AS l WHERE l.month = g.month AND l.from_xact IS NULL)
             ELSE g.xact >= coalesce((SELECT l.upto_xact FROM audit_link AS l
                                      WHERE l.month = g.month AND l.from_xact <= g.xact
                                      ORDER BY l.from_xact DESC, l.upto_xact DESC LIMIT 1), 0) END
$$;

-- ---- retention ----

-- Months that are older than p_keep whole ones. With p_dry nothing is done. Detached, a month is a table of its own, to be
-- dumped and dropped by its owner; what is not sealed is never detached. Called by the migrator.
CREATE FUNCTION audit_detach(p_keep integer, p_dry boolean)
RETURNS TABLE (partition text, month timestamptz, done boolean, why text)
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'
AS $$
#variable_conflict use_column
DECLARE
  sealed bigint := coalesce((SELECT max(l.upto_xact) FROM audit_link AS l), 0);
  open   boolean;
BEGIN
  IF p_keep IS NULL OR p_keep < 1 THEN
    RAISE EXCEPTION 'makegood: keep at least one whole month beside the present one'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR partition, month IN
    SELECT c.relname, to_timestamp(substr(c.relname, 11), 'YYYY_MM')
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'makegood.query_log'::regclass AND c.relname ~ '^query_log_\d{4}_\d{2}$'
      AND to_timestamp(substr(c.relname, 11), 'YYYY_MM') < month_of(now()) - p_keep * interval '1 month'
    ORDER BY 2
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM makegood.%I AS q WHERE q.xact >= $1)', partition) INTO open USING sealed;
    done := NOT open;
    why := CASE WHEN open THEN 'it has rows that are not sealed yet' ELSE '' END;
    IF done AND NOT p_dry THEN
      EXECUTE format('ALTER TABLE makegood.query_log DETACH PARTITION makegood.%I', partition);
    END IF;
    RETURN NEXT;
  END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION seal(integer) TO makegood_daemon;
GRANT EXECUTE ON FUNCTION audit_state(), audit_verify(bigint, integer), audit_outside()
TO makegood_operator, makegood_reader;
GRANT SELECT ON audit_link TO makegood_operator, makegood_reader;

RESET ROLE;
