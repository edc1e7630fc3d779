-- Ending an order by hand: a person knows how it ended, another one approves where much is at stake. It goes through
-- settle_batch() like everything else, under a claim of its own. Dry as in 013_operate.sql.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

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
CREATE FUNCTION the_attempt(p_order_no text, p_channel text, p_attempt bigint) RETURNS seen_order
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  found seen_order[] := ARRAY(SELECT s FROM seen_of(p_order_no) AS s
                              WHERE (p_channel IS NULL OR s.channel = p_channel)
                                AND (p_attempt IS NULL OR s.attempt_id = p_attempt));
BEGIN
  IF cardinality(found) <> 1 THEN
    RAISE EXCEPTION 'makegood: order % has % such attempts%', p_order_no, cardinality(found),
      CASE cardinality(found) WHEN 0 THEN ' that wait or are parked; its history tells how they ended'
           ELSE ' (' || (SELECT string_agg(format('%s on %s, %s', f.attempt_id, f.channel, f.state), '; '
                                           ORDER BY f.attempt_id)
                         FROM unnest(found) AS f) || '); say which, by its channel or by its number here' END
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN found[1];
END
$$;

-- A parked attempt goes back into the cycle to be ended there.
CREATE FUNCTION unpark_to_end(p_attempt seen_order) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  parked parked_order;
  twin   lost_order;
  fault  text;
BEGIN
  SELECT p.* INTO parked FROM parked_order AS p WHERE p.attempt_id = p_attempt.attempt_id;
  twin := twin_of(parked);
  fault := CASE WHEN twin.attempt_id IS NULL THEN unpark_fault(parked)
                ELSE format('it was tracked anew as attempt %s; put it back, then resolve that one', twin.attempt_id) END;
  IF parked.attempt_id IS NOT NULL AND fault <> '' THEN
    RAISE EXCEPTION 'makegood: attempt % of order % can not be ended: %', p_attempt.attempt_id, p_attempt.order_no, fault
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  PERFORM unpark_rows(ARRAY[p_attempt.attempt_id]);
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
  IF p_attempt.state = 'parked' THEN
    PERFORM unpark_to_end(p_attempt);
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

-- Ends the attempt by the same path as a daemon. Returns what settle answers, and left where the attempt went and its
-- order stays as it is: another attempt lives, or it was closed before. What can not be done raises, and nothing is done.
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
  RETURN (SELECT CASE WHEN answer.outcome = 'applied' AND q.status_after IS NOT DISTINCT FROM q.status_before THEN 'left'
                      ELSE answer.outcome END
          FROM query_log AS q
          WHERE q.order_no = p_attempt.order_no AND q.token = fence AND q.attempt_id = p_attempt.attempt_id);
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
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE SQLSTATE 'MG000';
  EXCEPTION WHEN SQLSTATE 'MG000' THEN
    RETURN outcome;
  END;
END
$$;

-- Dry, unless p_dry is false. Only what was done is logged.
CREATE FUNCTION end_or_try(p_attempt seen_order, p_verdict text, p_trade_no text, p_note text, p_dry boolean)
RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  outcome text;
BEGIN
  IF NOT may_end() THEN
    RAISE EXCEPTION 'makegood: everything is halted; lift that first'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  IF p_dry IS NOT FALSE THEN
    RETURN end_by_hand_dry(p_attempt, p_verdict, p_trade_no, p_note);
  END IF;
  outcome := end_by_hand(p_attempt, p_verdict, p_trade_no, p_note);
  INSERT INTO operator_log (action, order_no, channel, attempt_id, note, detail)
  VALUES ('resolve', p_attempt.order_no, p_attempt.channel, p_attempt.attempt_id, p_note,
          concat_ws(' ', p_verdict, nullif(p_trade_no, ''), outcome));
  RETURN outcome;
END
$$;

-- Whether a second person has to approve. Yes in doubt: the currency may be unknown.
CREATE FUNCTION needs_approval(p_attempt seen_order) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT s.approve_above IS NOT NULL
     AND (p_attempt.amount_minor
          <= s.approve_above * ('{1,10,100,1000,10000}'::numeric[])[currency_exponent(p_attempt.currency) + 1]) IS NOT TRUE
  FROM steering AS s
$$;

-- Asked for again by the same person it is the same approval.
CREATE FUNCTION ask_approval(p_attempt seen_order, p_verdict text, p_trade_no text, p_note text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  number bigint := (SELECT min(a.id) FROM approval AS a
                    WHERE a.attempt_id = p_attempt.attempt_id AND a.approved_at IS NULL AND a.asked_by = session_user
                      AND a.verdict = p_verdict AND a.trade_no IS NOT DISTINCT FROM p_trade_no);
BEGIN
  IF number IS NULL THEN
    INSERT INTO approval (attempt_id, order_no, channel, amount_minor, currency, verdict, trade_no, note)
    VALUES (p_attempt.attempt_id, p_attempt.order_no, p_attempt.channel, p_attempt.amount_minor, p_attempt.currency,
            p_verdict, p_trade_no, p_note) RETURNING id INTO number;
  END IF;
  RETURN number;
END
$$;

-- A person knows how it ended. Above the amount that the configuration names a second person has to approve: then the
-- answer is needs_approval, with the number to approve; asked for is only what could be done. p_attempt tells apart
-- several attempts on one channel.
CREATE FUNCTION resolve_by_hand(p_order_no text, p_channel text, p_verdict text, p_trade_no text, p_note text,
                                p_dry boolean, p_attempt bigint DEFAULT NULL, OUT outcome text, OUT approval bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
SET lock_timeout = '5s' -- somebody works on the tables: told, not waited for
AS $$
DECLARE
  chosen seen_order := the_attempt(p_order_no, p_channel, p_attempt);
  waits  boolean := needs_approval(chosen);
BEGIN
  PERFORM note_check(p_note);
  IF p_verdict IS NULL OR p_verdict NOT IN ('paid', 'closed')
     OR (p_verdict = 'paid') <> (btrim(coalesce(p_trade_no, '')) <> '') THEN
    RAISE EXCEPTION 'makegood: an order is resolved as paid, with the channel''s number of the payment, or as closed, '
                    'without' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_trade_no !~ '^[!-~]{1,64}$' THEN
    RAISE EXCEPTION 'makegood: %, the channel''s number of the payment, has other characters than 1 to 64 letters, digits '
                    'and marks', quote_literal(left(p_trade_no, 80)) USING ERRCODE = 'invalid_parameter_value';
  END IF;
  outcome := end_or_try(chosen, p_verdict, nullif(p_trade_no, ''), p_note, p_dry OR waits);
  IF waits THEN
    outcome := 'needs_approval';
    IF NOT p_dry THEN
      approval := ask_approval(chosen, p_verdict, nullif(p_trade_no, ''), p_note);
    END IF;
  END IF;
END
$$;

-- The second person: another login than the one that asked.
CREATE FUNCTION approve(p_approval bigint, p_note text, p_dry boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
SET lock_timeout = '5s' -- somebody works on the tables: told, not waited for
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
  SELECT s.* INTO chosen FROM seen_of(asked.order_no) AS s WHERE s.attempt_id = asked.attempt_id;
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

-- What waits for a second person; not what ended otherwise meanwhile.
CREATE FUNCTION approvals() RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
AS $$
  SELECT jsonb_strip_nulls(to_jsonb(a)) || jsonb_build_object('amount', major_of(a.amount_minor, a.currency))
  FROM approval AS a
  WHERE a.approved_at IS NULL
    AND EXISTS (SELECT FROM seen_of(a.order_no) AS s WHERE s.attempt_id = a.attempt_id)
  ORDER BY a.id
$$;

GRANT EXECUTE ON FUNCTION
  resolve_by_hand(text, text, text, text, text, boolean, bigint), approve(bigint, text, boolean)
TO makegood_operator;
GRANT EXECUTE ON FUNCTION approvals() TO makegood_operator, makegood_reader;
GRANT SELECT ON approval TO makegood_operator, makegood_reader;

RESET ROLE;
