-- Operating: what a person may do, each with a note, each in operator_log under the login's own name: hold back, ask at
-- once, park, put back. With p_dry nothing is done, and the answer says what would be; null is dry.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

CREATE FUNCTION note_check(p_note text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  IF coalesce(btrim(p_note), '') = '' OR octet_length(p_note) > 1000 THEN
    RAISE EXCEPTION 'makegood: say why, in a note of 1 to 1000 bytes' USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;

-- ---- channels, and everything ----

CREATE FUNCTION channel_check(p_channel text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM channel AS c WHERE c.name = p_channel) THEN
    RAISE EXCEPTION 'makegood: there is no channel %; the channels are %', quote_nullable(p_channel),
                    coalesce((SELECT string_agg(c.name, ', ' ORDER BY c.name) FROM channel AS c), 'none yet')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
END
$$;

-- No daemon claims from the channel until then; null: until resumed. Returns the end; infinity: none.
CREATE FUNCTION pause(p_channel text, p_for interval, p_note text, p_dry boolean) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  until timestamptz := coalesce(clock_timestamp() + p_for, 'infinity');
BEGIN
  PERFORM note_check(p_note), channel_check(p_channel);
  IF p_for <= '0' THEN
    RAISE EXCEPTION 'makegood: a pause of % is none; give a time above zero', p_for
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT p_dry THEN
    INSERT INTO paused_channel (channel, paused_until, paused_by, paused_note)
    VALUES (p_channel, until, session_user, p_note)
    ON CONFLICT (channel) DO UPDATE SET paused_until = excluded.paused_until, paused_by = excluded.paused_by,
                                        paused_note = excluded.paused_note;
    INSERT INTO operator_log (action, channel, note, detail)
    VALUES ('pause', p_channel, p_note, 'until ' || until);
  END IF;
  RETURN until;
END
$$;

-- Whether it was paused.
CREATE FUNCTION resume(p_channel text, p_note text, p_dry boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  was boolean := EXISTS (SELECT FROM paused_channel AS p WHERE p.channel = p_channel AND p.paused_until > clock_timestamp());
BEGIN
  PERFORM note_check(p_note), channel_check(p_channel);
  IF was AND NOT p_dry THEN
    DELETE FROM paused_channel AS p WHERE p.channel = p_channel;
    was := FOUND; -- not if somebody else was faster
  END IF;
  IF was AND NOT p_dry THEN
    INSERT INTO operator_log (action, channel, note) VALUES ('resume', p_channel, p_note);
  END IF;
  RETURN was;
END
$$;

-- Waits until what is ending right now has ended, for a shop that holds it up not longer than some seconds.
CREATE FUNCTION halt_waits() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('makegood.halt', 0));
EXCEPTION WHEN lock_not_available THEN
  RAISE WARNING 'makegood: a settlement takes long; it may still end some orders';
END
$$;

-- The kill switch: once its transaction is committed nothing is claimed and nothing ends, until lift(). Returns whether
-- that changed anything.
CREATE FUNCTION halt(p_note text, p_dry boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  is_new boolean := (SELECT s.halted_at IS NULL FROM steering AS s);
BEGIN
  PERFORM note_check(p_note);
  IF is_new AND NOT p_dry THEN
    PERFORM halt_waits();
    UPDATE steering AS s SET halted_at = clock_timestamp(), halted_by = session_user, halted_note = p_note
    WHERE s.halted_at IS NULL;
    is_new := FOUND; -- not if somebody else was faster
  END IF;
  IF is_new AND NOT p_dry THEN
    INSERT INTO operator_log (action, note) VALUES ('halt', p_note);
  END IF;
  RETURN is_new;
END
$$;

CREATE FUNCTION lift(p_note text, p_dry boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  was boolean := (SELECT s.halted_at IS NOT NULL FROM steering AS s);
BEGIN
  PERFORM note_check(p_note);
  IF was AND NOT p_dry THEN
    UPDATE steering AS s SET halted_at = NULL, halted_by = NULL, halted_note = NULL WHERE s.halted_at IS NOT NULL;
    was := FOUND;
  END IF;
  IF was AND NOT p_dry THEN
    INSERT INTO operator_log (action, note) VALUES ('lift', p_note);
  END IF;
  RETURN was;
END
$$;

-- ---- attempts ----

-- The attempt that was tracked in the place of a parked one: adopt() may do that while it is being parked.
CREATE FUNCTION twin_of(p_parked parked_order) RETURNS lost_order
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT l FROM lost_order AS l
  WHERE l.order_no = p_parked.order_no AND l.channel = p_parked.channel AND l.attempt = p_parked.attempt
$$;

-- Why a parked attempt can not go back into the cycle, or ''.
CREATE FUNCTION unpark_fault(p_parked parked_order) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  fault text := track_fault(p_parked.order_no, p_parked.channel, p_parked.number, p_parked.attempt, p_parked.method,
                            p_parked.channel_data, p_parked.amount_minor, p_parked.currency);
  twin  lost_order := twin_of(p_parked);
BEGIN
  RETURN CASE
    WHEN fault IS NOT NULL THEN format('it can not be tracked as it is (%s); track it with its data', fault)
    WHEN twin.amount_minor <> p_parked.amount_minor OR twin.currency <> p_parked.currency
         OR twin.number <> p_parked.number THEN
      format('it was tracked anew as attempt %s, with another amount, currency or number', twin.attempt_id)
    ELSE '' END;
END
$$;

-- Puts parked attempts that have no fault back, as they were, but for their counters; one that was tracked anew goes on
-- as that one. Returns those that are in the cycle now: not what somebody holds.
CREATE FUNCTION unpark_rows(p_attempts bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
SET lock_timeout = '500ms' -- for a shop that tracks the same; before PostgreSQL takes it for a deadlock
AS $$
DECLARE
  held bigint[] := ARRAY(SELECT p.attempt_id FROM parked_order AS p WHERE p.attempt_id = ANY (p_attempts)
                         FOR UPDATE SKIP LOCKED);
BEGIN
  INSERT INTO lost_order (attempt_id, order_no, channel, number, attempt, method, channel_data, amount_minor, currency,
                          created_at, expires_at, due_at, phase)
  OVERRIDING SYSTEM VALUE
  SELECT p.attempt_id, p.order_no, p.channel, p.number, p.attempt, p.method, p.channel_data, p.amount_minor, p.currency,
         p.created_at, p.expires_at, clock_timestamp(), CASE p.phase WHEN 'tail' THEN 'tail' ELSE 'open' END
  FROM parked_order AS p WHERE p.attempt_id = ANY (held)
  ON CONFLICT DO NOTHING;
  RETURN QUERY
  DELETE FROM parked_order AS p USING lost_order AS l
  WHERE p.attempt_id = ANY (held) AND l.order_no = p.order_no AND l.channel = p.channel AND l.attempt = p.attempt
    AND l.amount_minor = p.amount_minor AND l.currency = p.currency AND coalesce(l.number = p.number, true)
  RETURNING p.attempt_id;
END
$$;

-- Makes waiting attempts due; not what is being asked or held. Returns those.
CREATE FUNCTION hurry_rows(p_attempts bigint[]) RETURNS SETOF bigint
LANGUAGE sql SET search_path = pg_catalog, makegood, pg_temp
AS $$
  UPDATE lost_order AS l SET due_at = least(l.due_at, clock_timestamp())
  WHERE l.ctid = ANY (ARRAY(SELECT o.ctid FROM lost_order AS o
                            WHERE o.attempt_id = ANY (p_attempts)
                              AND (o.token IS NULL OR o.due_at <= clock_timestamp()) FOR UPDATE SKIP LOCKED))
  RETURNING l.attempt_id
$$;

-- Takes waiting attempts out of the cycle, also those that are being asked; not what is held. Returns those.
CREATE FUNCTION park_rows(p_attempts bigint[], p_detail text) RETURNS SETOF bigint
LANGUAGE sql SET search_path = pg_catalog, makegood, pg_temp
AS $$
  WITH gone AS (
    DELETE FROM lost_order AS l
    WHERE l.ctid = ANY (ARRAY(SELECT o.ctid FROM lost_order AS o WHERE o.attempt_id = ANY (p_attempts)
                              FOR UPDATE SKIP LOCKED))
    RETURNING l.*
  )
  INSERT INTO parked_order SELECT g.*, 'operator', p_detail FROM gone AS g RETURNING attempt_id
$$;

-- One row per attempt that was meant; done is false where nothing could be done, and detail says why.
CREATE TYPE deed AS (attempt_id bigint, order_no text, channel text, was text, done boolean, detail text);

-- Attempts that are meant by an order, a channel, a reason of parking; null leaves one away, but not all of them. The
-- tail is meant only where its order is named. Nothing is locked: what is done decides.
CREATE FUNCTION meant(p_order_no text, p_channel text, p_reason text, p_waiting boolean, p_parked boolean)
RETURNS SETOF deed
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
BEGIN
  IF p_order_no IS NULL AND p_channel IS NULL AND p_reason IS NULL THEN
    RAISE EXCEPTION 'makegood: name an order, a channel or a reason' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_waiting AND p_reason IS NULL THEN
    RETURN QUERY
    SELECT l.attempt_id, l.order_no::text, l.channel::text, CASE l.phase WHEN 'tail' THEN 'tail' ELSE 'waiting' END,
           l.token IS NULL OR l.due_at <= clock_timestamp(),
           CASE WHEN l.token IS NULL OR l.due_at <= clock_timestamp() THEN '' ELSE 'it is being asked now' END
    FROM lost_order AS l
    WHERE (p_order_no IS NULL OR l.order_no = p_order_no) AND (p_channel IS NULL OR l.channel = p_channel)
      AND (p_order_no IS NOT NULL OR l.phase <> 'tail')
    ORDER BY l.attempt_id;
  END IF;
  IF p_parked THEN
    RETURN QUERY
    SELECT p.attempt_id, p.order_no, p.channel, p.reason, f.fault = '', f.fault
    FROM parked_order AS p CROSS JOIN LATERAL unpark_fault(p) AS f (fault)
    WHERE (p_order_no IS NULL OR p.order_no = p_order_no) AND (p_channel IS NULL OR p.channel = p_channel)
      AND (p_reason IS NULL OR p.reason = p_reason)
    ORDER BY p.attempt_id;
  END IF;
END
$$;

-- What was meant, now that it was tried: p_done are those that it was done to. What was done is logged.
CREATE FUNCTION deeds_done(p_meant deed[], p_done bigint[], p_action text, p_note text) RETURNS SETOF deed
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO operator_log (action, order_no, channel, attempt_id, note, detail)
  SELECT p_action, m.order_no, m.channel, m.attempt_id, p_note, 'was ' || m.was
  FROM unnest(p_meant) AS m JOIN unnest(p_done) AS d (attempt_id) USING (attempt_id) ORDER BY m.attempt_id;
  RETURN QUERY
  SELECT m.attempt_id, m.order_no, m.channel, m.was, d.attempt_id IS NOT NULL,
         CASE WHEN d.attempt_id IS NOT NULL THEN '' WHEN m.done THEN 'somebody holds it right now; try again'
              ELSE m.detail END
  FROM unnest(p_meant) AS m LEFT JOIN unnest(p_done) AS d (attempt_id) USING (attempt_id) ORDER BY m.attempt_id;
END
$$;

-- Asked at once; parked ones go back into the cycle (p_waiting false: those alone).
CREATE FUNCTION retry(p_order_no text, p_channel text, p_reason text, p_waiting boolean, p_note text, p_dry boolean)
RETURNS SETOF deed
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
SET lock_timeout = '5s' -- somebody works on the tables: told, not waited for
AS $$
DECLARE
  chosen deed[] := ARRAY(SELECT m FROM meant(p_order_no, p_channel, p_reason, p_waiting, true) AS m);
  ids    bigint[] := ARRAY(SELECT c.attempt_id FROM unnest(chosen) AS c WHERE c.done);
BEGIN
  PERFORM note_check(p_note);
  IF NOT p_dry THEN
    RETURN QUERY SELECT * FROM deeds_done(chosen, ARRAY(SELECT hurry_rows(ids) UNION SELECT unpark_rows(ids)),
                                          CASE WHEN p_waiting THEN 'retry' ELSE 'unpark' END, p_note);
  ELSE
    RETURN QUERY SELECT c.* FROM unnest(chosen) AS c;
  END IF;
END
$$;

-- Out of the cycle, for a person to decide. A daemon that asks about it right now is fenced.
CREATE FUNCTION park(p_order_no text, p_channel text, p_note text, p_dry boolean) RETURNS SETOF deed
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
SET lock_timeout = '5s' -- somebody works on the tables: told, not waited for
AS $$
DECLARE
  chosen deed[];
BEGIN
  PERFORM note_check(p_note);
  IF p_order_no IS NULL THEN
    RAISE EXCEPTION 'makegood: name the order to park; to hold back a whole channel, pause it'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  chosen := ARRAY(SELECT ROW (m.attempt_id, m.order_no, m.channel, m.was, true, '')::deed
                  FROM meant(p_order_no, p_channel, NULL, true, false) AS m);
  IF NOT p_dry THEN
    RETURN QUERY SELECT * FROM deeds_done(chosen, ARRAY(
      SELECT park_rows(ARRAY(SELECT c.attempt_id FROM unnest(chosen) AS c), format('%s: %s', session_user, p_note))),
      'park', p_note);
  ELSE
    RETURN QUERY SELECT c.* FROM unnest(chosen) AS c;
  END IF;
END
$$;

GRANT EXECUTE ON FUNCTION
  pause(text, interval, text, boolean), resume(text, text, boolean), halt(text, boolean), lift(text, boolean),
  retry(text, text, text, boolean, text, boolean), park(text, text, text, boolean)
TO makegood_operator;

RESET ROLE;
