-- Operating: what a person may do, each with a note, each in operator_log under the login's own name. What ends an order
-- goes through settle_batch() like everything else. With p_dry nothing is done, and the answer says what would be.

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
    UPDATE channel AS c SET paused_until = until, paused_by = session_user, paused_note = p_note
    WHERE c.name = p_channel;
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
  was boolean := coalesce((SELECT c.paused_until > clock_timestamp() FROM channel AS c WHERE c.name = p_channel), false);
BEGIN
  PERFORM note_check(p_note), channel_check(p_channel);
  IF was AND NOT p_dry THEN
    UPDATE channel AS c SET paused_until = NULL, paused_by = NULL, paused_note = NULL WHERE c.name = p_channel;
    INSERT INTO operator_log (action, channel, note) VALUES ('resume', p_channel, p_note);
  END IF;
  RETURN was;
END
$$;

-- The kill switch: nothing is claimed and nothing ends, until lift(). Returns whether that changed anything.
CREATE FUNCTION halt(p_note text, p_dry boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  is_new boolean := (SELECT s.halted_at IS NULL FROM steering AS s);
BEGIN
  PERFORM note_check(p_note);
  IF is_new AND NOT p_dry THEN
    UPDATE steering SET halted_at = clock_timestamp(), halted_by = session_user, halted_note = p_note;
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
    UPDATE steering SET halted_at = NULL, halted_by = NULL, halted_note = NULL;
    INSERT INTO operator_log (action, note) VALUES ('lift', p_note);
  END IF;
  RETURN was;
END
$$;

-- ---- attempts ----

-- Puts parked attempts back, as they were, but for their counters. What lacks something that a lost order must have (it
-- was untrackable) stays parked, and is not among the answer.
CREATE FUNCTION unpark_rows(p_attempts bigint[]) RETURNS SETOF bigint
LANGUAGE sql SET search_path = pg_catalog, makegood, pg_temp
AS $$
  WITH gone AS (
    DELETE FROM parked_order AS p
    WHERE p.attempt_id = ANY (p_attempts)
      AND track_fault(p.order_no, p.channel, p.number, p.attempt, p.method, p.channel_data, p.amount_minor, p.currency)
          IS NULL
      AND NOT EXISTS (SELECT FROM lost_order AS l WHERE l.order_no = p.order_no AND l.channel = p.channel
                                                    AND l.attempt = p.attempt)
    RETURNING p.*
  )
  INSERT INTO lost_order (attempt_id, order_no, channel, number, attempt, method, channel_data, amount_minor, currency,
                          created_at, expires_at, due_at, phase)
  OVERRIDING SYSTEM VALUE
  SELECT g.attempt_id, g.order_no, g.channel, g.number, g.attempt, g.method, g.channel_data, g.amount_minor, g.currency,
         g.created_at, g.expires_at, clock_timestamp(), CASE g.phase WHEN 'tail' THEN 'tail' ELSE 'open' END
  FROM gone AS g
  RETURNING attempt_id
$$;

-- Attempts that are meant by an order, a channel, a reason of parking; null leaves one away, but not all of them.
-- Locked, so that nothing happens to them meanwhile; what somebody else holds is left out.
CREATE FUNCTION meant(p_order_no text, p_channel text, p_reason text, p_waiting boolean, p_parked boolean)
RETURNS TABLE (attempt_id bigint, order_no text, channel text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
BEGIN
  IF p_order_no IS NULL AND p_channel IS NULL AND p_reason IS NULL THEN
    RAISE EXCEPTION 'makegood: name an order, a channel or a reason' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_waiting AND p_reason IS NULL THEN
    RETURN QUERY
    SELECT l.attempt_id, l.order_no::text, l.channel::text, ''::text FROM lost_order AS l
    WHERE (p_order_no IS NULL OR l.order_no = p_order_no) AND (p_channel IS NULL OR l.channel = p_channel)
    ORDER BY l.attempt_id FOR UPDATE SKIP LOCKED;
  END IF;
  IF p_parked THEN
    RETURN QUERY
    SELECT p.attempt_id, p.order_no, p.channel, p.reason FROM parked_order AS p
    WHERE (p_order_no IS NULL OR p.order_no = p_order_no) AND (p_channel IS NULL OR p.channel = p_channel)
      AND (p_reason IS NULL OR p.reason = p_reason)
    ORDER BY p.attempt_id FOR UPDATE SKIP LOCKED;
  END IF;
END
$$;

-- One row per attempt that was meant; done is false where nothing could be done, and detail says why.
CREATE TYPE deed AS (attempt_id bigint, order_no text, channel text, was text, done boolean, detail text);

-- Asked at once; parked ones go back into the cycle (p_waiting false: those alone).
CREATE FUNCTION retry(p_order_no text, p_channel text, p_reason text, p_waiting boolean, p_note text, p_dry boolean)
RETURNS SETOF deed
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  chosen deed[];
  back   bigint[];
BEGIN
  PERFORM note_check(p_note);
  chosen := ARRAY(
    SELECT ROW (m.attempt_id, m.order_no, m.channel, CASE m.reason WHEN '' THEN 'waiting' ELSE m.reason END,
                l.token IS NULL OR l.due_at <= clock_timestamp(),
                CASE WHEN l.token IS NULL OR l.due_at <= clock_timestamp() THEN '' ELSE 'it is being asked now' END)::deed
    FROM meant(p_order_no, p_channel, p_reason, p_waiting, true) AS m LEFT JOIN lost_order AS l USING (attempt_id));
  IF NOT p_dry THEN
    UPDATE lost_order AS l SET due_at = least(l.due_at, clock_timestamp())
    FROM unnest(chosen) AS c WHERE c.attempt_id = l.attempt_id AND c.was = 'waiting' AND c.done;
    back := ARRAY(SELECT unpark_rows(ARRAY(SELECT c.attempt_id FROM unnest(chosen) AS c WHERE c.was <> 'waiting')));
    chosen := ARRAY(
      SELECT ROW (c.attempt_id, c.order_no, c.channel, c.was, c.done AND (c.was = 'waiting' OR c.attempt_id = ANY (back)),
                  CASE WHEN c.was = 'waiting' OR c.attempt_id = ANY (back) THEN c.detail
                       ELSE 'it lacks what a lost order must have: track it with its data' END)::deed
      FROM unnest(chosen) AS c);
    INSERT INTO operator_log (action, order_no, channel, attempt_id, note, detail)
    SELECT CASE WHEN p_waiting THEN 'retry' ELSE 'unpark' END, c.order_no, c.channel, c.attempt_id, p_note, 'was ' || c.was
    FROM unnest(chosen) AS c WHERE c.done;
  END IF;
  RETURN QUERY SELECT c.* FROM unnest(chosen) AS c;
END
$$;

-- Out of the cycle, for a person to decide. A daemon that asks about it right now is fenced.
CREATE FUNCTION park(p_order_no text, p_channel text, p_note text, p_dry boolean) RETURNS SETOF deed
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  chosen deed[];
BEGIN
  PERFORM note_check(p_note);
  IF p_order_no IS NULL THEN
    RAISE EXCEPTION 'makegood: name the order to park; to hold back a whole channel, pause it'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  chosen := ARRAY(SELECT ROW (m.attempt_id, m.order_no, m.channel, 'waiting', true, '')::deed
                  FROM meant(p_order_no, p_channel, NULL, true, false) AS m);
  IF NOT p_dry THEN
    WITH gone AS (
      DELETE FROM lost_order AS l USING unnest(chosen) AS c WHERE c.attempt_id = l.attempt_id RETURNING l.*
    )
    INSERT INTO parked_order SELECT g.*, 'operator', format('%s: %s', session_user, p_note) FROM gone AS g;
    INSERT INTO operator_log (action, order_no, channel, attempt_id, note)
    SELECT 'park', c.order_no, c.channel, c.attempt_id, p_note FROM unnest(chosen) AS c;
  END IF;
  RETURN QUERY SELECT c.* FROM unnest(chosen) AS c;
END
$$;

-- ---- ending an order by hand ----

CREATE TABLE approval (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  attempt_id   bigint      NOT NULL,
  order_no     text        NOT NULL,
  channel      text        NOT NULL,
  amount_minor bigint      NOT NULL,
  currency     text        NOT NULL,
  verdict      text        NOT NULL CHECK (verdict IN ('paid', 'closed')),
  trade_no     text,
  note         note_text   NOT NULL,
  asked_by     text        NOT NULL DEFAULT session_user,
  asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  approved_by  text,
  approved_at  timestamptz,
  CHECK (approved_by <> asked_by)
);
CREATE INDEX approval_open ON approval (attempt_id) WHERE approved_at IS NULL;

-- From which amount on, in units of the currency; null: nobody has to approve. Said by makegood migrate.
CREATE FUNCTION approve_from(p_above numeric) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
  UPDATE steering SET approve_above = p_above WHERE approve_above IS DISTINCT FROM p_above
$$;

-- The one attempt of an order, waiting or parked.
CREATE FUNCTION the_attempt(p_order_no text, p_channel text) RETURNS seen_order
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  found seen_order[] := ARRAY(SELECT s FROM seen_order AS s
                              WHERE s.order_no = p_order_no AND (p_channel IS NULL OR s.channel = p_channel));
BEGIN
  IF cardinality(found) <> 1 THEN
    RAISE EXCEPTION 'makegood: order % has % attempts%', p_order_no, cardinality(found),
      CASE cardinality(found) WHEN 0 THEN ' that wait or are parked; its history tells how they ended'
           ELSE ' (' || (SELECT string_agg(format('%s on %s, %s', f.attempt_id, f.channel, f.state), '; ')
                         FROM unnest(found) AS f) || '); say which by --channel' END
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN found[1];
END
$$;

-- The row under a claim of ours, whether it waited or was parked; returns the claim's token. As tail it may also make a
-- closed order paid.
CREATE FUNCTION take_by_hand(p_attempt seen_order, p_verdict text, p_moment timestamptz) RETURNS uuid
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  fence uuid := gen_random_uuid();
BEGIN
  IF p_attempt.state = 'parked' AND NOT EXISTS (SELECT unpark_rows(ARRAY[p_attempt.attempt_id])) THEN
    RAISE EXCEPTION 'makegood: attempt % lacks what a lost order must have; track it with its data first',
                    p_attempt.attempt_id USING ERRCODE = 'invalid_parameter_value';
  END IF;
  UPDATE lost_order AS l
  SET token = fence, claimed_at = p_moment, claimed_by = session_user, due_at = p_moment + interval '1 minute',
      phase = CASE p_verdict WHEN 'paid' THEN 'tail' ELSE l.phase END
  WHERE l.ctid = ANY (ARRAY(SELECT o.ctid FROM lost_order AS o
                            WHERE o.attempt_id = p_attempt.attempt_id
                              AND (o.token IS NULL OR o.due_at <= clock_timestamp()) FOR UPDATE SKIP LOCKED));
  IF NOT FOUND THEN
    RAISE EXCEPTION 'makegood: order % is being asked about right now; try again in a few seconds', p_attempt.order_no
      USING ERRCODE = 'lock_not_available';
  END IF;
  RETURN fence;
END
$$;

-- Ends the attempt by the same path as a daemon; what settle answers. What can not be done raises, and nothing is done.
CREATE FUNCTION end_by_hand(p_attempt seen_order, p_verdict text, p_trade_no text, p_note text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  moment timestamptz := clock_timestamp();
  fence  uuid := take_by_hand(p_attempt, p_verdict, moment);
  answer record;
BEGIN
  SELECT s.* INTO answer FROM settle_batch(
    'operator ' || session_user, ARRAY[p_attempt.attempt_id], ARRAY[fence],
    ARRAY[(extract(epoch FROM moment) * 1000000)::bigint], ARRAY[p_attempt.order_no], ARRAY[p_attempt.channel],
    ARRAY[p_attempt.number], ARRAY[p_verdict], ARRAY[''], ARRAY['operator'], ARRAY[NULL]::bigint[],
    ARRAY[p_attempt.phase], ARRAY[true], ARRAY[0], ARRAY[0], ARRAY[0], ARRAY['operator'], ARRAY[true],
    ARRAY[p_attempt.amount_minor], ARRAY[p_attempt.currency], ARRAY[p_trade_no], ARRAY[NULL]::text[],
    ARRAY[NULL]::text[], ARRAY[NULL]::integer[], ARRAY[NULL]::integer[], ARRAY[NULL]::text[], ARRAY[NULL]::text[],
    ARRAY[NULL]::text[], ARRAY[false], ARRAY[p_note]) AS s;
  IF answer.outcome NOT IN ('applied', 'already') THEN
    RAISE EXCEPTION 'makegood: order % can not become % (%); nothing was done', p_attempt.order_no, p_verdict,
                    CASE answer.outcome WHEN 'busy' THEN 'somebody holds it right now; try again'
                                        WHEN 'conflict' THEN answer.reason ELSE answer.outcome END
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  INSERT INTO operator_log (action, order_no, channel, attempt_id, note, detail)
  VALUES ('resolve', p_attempt.order_no, p_attempt.channel, p_attempt.attempt_id, p_note,
          concat_ws(' ', p_verdict, nullif(p_trade_no, ''), answer.outcome));
  RETURN answer.outcome;
END
$$;

-- The same, and taken back: what it would have answered.
CREATE FUNCTION end_by_hand_dry(p_attempt seen_order, p_verdict text, p_trade_no text, p_note text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  outcome text;
BEGIN
  BEGIN
    outcome := end_by_hand(p_attempt, p_verdict, p_trade_no, p_note);
    RAISE SQLSTATE 'MG000';
  EXCEPTION WHEN SQLSTATE 'MG000' THEN
    RETURN outcome;
  END;
END
$$;

CREATE FUNCTION end_or_try(p_attempt seen_order, p_verdict text, p_trade_no text, p_note text, p_dry boolean)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  IF EXISTS (SELECT FROM steering AS s WHERE s.halted_at IS NOT NULL) THEN
    RAISE EXCEPTION 'makegood: everything is halted; lift that first'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF p_dry THEN
    RETURN end_by_hand_dry(p_attempt, p_verdict, p_trade_no, p_note);
  END IF;
  RETURN end_by_hand(p_attempt, p_verdict, p_trade_no, p_note);
END
$$;

-- A person knows how it ended. Above the amount that the configuration names a second person has to approve: then the
-- answer is needs_approval, with the number to approve.
CREATE FUNCTION resolve_by_hand(p_order_no text, p_channel text, p_verdict text, p_trade_no text, p_note text,
                                p_dry boolean, OUT outcome text, OUT approval bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  chosen seen_order := the_attempt(p_order_no, p_channel);
BEGIN
  PERFORM note_check(p_note);
  IF p_verdict IS NULL OR p_verdict NOT IN ('paid', 'closed') OR (p_verdict = 'paid') <> (coalesce(p_trade_no, '') <> '') THEN
    RAISE EXCEPTION 'makegood: an order is resolved as paid, with the channel''s number of the payment, or as closed, '
                    'without' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF chosen.amount_minor > (SELECT minor_of(s.approve_above, chosen.currency) FROM steering AS s) THEN
    outcome := 'needs_approval';
    IF NOT p_dry THEN
      INSERT INTO approval (attempt_id, order_no, channel, amount_minor, currency, verdict, trade_no, note)
      VALUES (chosen.attempt_id, chosen.order_no, chosen.channel, chosen.amount_minor, chosen.currency, p_verdict,
              p_trade_no, p_note) RETURNING id INTO approval;
    END IF;
    RETURN;
  END IF;
  outcome := end_or_try(chosen, p_verdict, p_trade_no, p_note, p_dry);
END
$$;

-- The second person: another login than the one that asked.
CREATE FUNCTION approve(p_approval bigint, p_note text, p_dry boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  asked  approval;
  chosen seen_order;
BEGIN
  PERFORM note_check(p_note);
  SELECT a.* INTO asked FROM approval AS a WHERE a.id = p_approval AND a.approved_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'makegood: nothing with the number % waits for approval', p_approval
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF asked.asked_by = session_user THEN
    RAISE EXCEPTION 'makegood: % asked for it and can not approve it; another login has to', session_user
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT s.* INTO chosen FROM seen_order AS s WHERE s.attempt_id = asked.attempt_id;
  IF chosen.attempt_id IS NULL OR chosen.amount_minor <> asked.amount_minor OR chosen.currency <> asked.currency THEN
    RAISE EXCEPTION 'makegood: attempt % is not what it was when approval was asked for; look at its history',
                    asked.attempt_id USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF NOT p_dry THEN
    UPDATE approval AS a SET approved_by = session_user, approved_at = clock_timestamp() WHERE a.id = p_approval;
  END IF;
  RETURN end_or_try(chosen, asked.verdict, asked.trade_no,
                    format('%s (asked by %s; approved by %s: %s)', asked.note, asked.asked_by, session_user, p_note),
                    p_dry);
END
$$;

-- What waits for a second person.
CREATE FUNCTION approvals() RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT jsonb_strip_nulls(to_jsonb(a)) || jsonb_build_object('amount', major_of(a.amount_minor, a.currency))
  FROM approval AS a WHERE a.approved_at IS NULL ORDER BY a.id
$$;

GRANT EXECUTE ON FUNCTION
  pause(text, interval, text, boolean), resume(text, text, boolean), halt(text, boolean), lift(text, boolean),
  retry(text, text, text, boolean, text, boolean), park(text, text, text, boolean),
  resolve_by_hand(text, text, text, text, text, boolean), approve(bigint, text, boolean)
TO makegood_operator;
GRANT EXECUTE ON FUNCTION approvals() TO makegood_operator, makegood_reader;
GRANT SELECT ON approval TO makegood_operator, makegood_reader;

RESET ROLE;
