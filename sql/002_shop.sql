-- The shop's door: track() when a payment begins, resolve() when its notification did arrive. Both run in the shop's
-- own transaction and speak plainly: what they can not do, they raise.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- Why these values can not be tracked: one sentence with its mend, or null.
CREATE FUNCTION track_fault(p_order_no text, p_channel text, p_number text, p_attempt text, p_method text,
                            p_channel_data jsonb, p_amount_minor bigint, p_currency text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT CASE
    WHEN p_order_no IS NULL THEN
      'the order number is missing; give the key of the order'
    WHEN p_order_no !~ '^[A-Za-z0-9_|*-]{1,64}$' THEN
      format('order number %L can not be sent to a channel; use 1 to 64 of A-Z a-z 0-9 _ | * -', left(p_order_no, 80))
    WHEN p_channel IS NULL THEN
      'the channel is missing; give the name that the makegood configuration gives it'
    WHEN p_channel !~ '^[a-z0-9_-]{1,32}$' THEN
      format('channel %L is not a name; use 1 to 32 of a-z 0-9 _ -', left(p_channel, 80))
    WHEN p_number !~ '^[A-Za-z0-9_|*-]{1,64}$' THEN
      format('channel number %L can not be sent to a channel; use 1 to 64 of A-Z a-z 0-9 _ | * -, or null',
             left(p_number, 80))
    WHEN p_attempt IS NULL OR octet_length(p_attempt) > 64 THEN
      'the attempt is null or longer than 64 bytes; leave it away, or give a short text that tells attempts apart'
    WHEN octet_length(p_method) > 32 THEN
      'the method is longer than 32 bytes; shorten it'
    WHEN jsonb_typeof(p_channel_data) <> 'object' THEN
      'channel_data is not a JSON object; put its values under names'
    WHEN octet_length(p_channel_data::text) > 1000 THEN
      'channel_data is longer than 1000 bytes; keep only what the question to the channel needs'
    WHEN p_amount_minor IS NULL OR p_amount_minor <= 0 THEN
      format('amount %s is not above zero; give it in minor units (cents), as a whole number',
             coalesce(p_amount_minor::text, 'null'))
    WHEN p_currency IS NULL OR p_currency !~ '^[A-Z]{3}$' THEN
      format('currency %L is not three upper-case letters; use the ISO 4217 code', left(p_currency, 80))
  END
$$;

-- How long after tracking a channel is asked first.
CREATE FUNCTION first_delay(p_channel text) RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT coalesce((SELECT c.first_delay_ms FROM channel AS c WHERE c.name = p_channel), 30000)
         * interval '1 millisecond'
$$;

-- A payment attempt begins. Returns its id. Repeated for the same attempt (order, channel, attempt) it fills in what
-- was unknown; another amount, currency or number raises.
CREATE FUNCTION track(p_order_no text, p_channel text, p_amount_minor bigint, p_currency text,
                      p_number text DEFAULT NULL, p_attempt text DEFAULT '', p_method text DEFAULT NULL,
                      p_channel_data jsonb DEFAULT NULL, p_expires_at timestamptz DEFAULT NULL,
                      p_due_in interval DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  fault   text := track_fault(p_order_no, p_channel, p_number, p_attempt, p_method, p_channel_data, p_amount_minor,
                              p_currency);
  tracked bigint;
BEGIN
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION 'makegood.track: %', fault USING ERRCODE = 'invalid_parameter_value';
  END IF;
  p_expires_at := finite_or_null(p_expires_at);

  -- A settlement of this attempt that is under way comes first: it may park it.
  PERFORM FROM lost_order AS l
  WHERE l.order_no = p_order_no AND l.channel = p_channel AND l.attempt = p_attempt FOR UPDATE;

  tracked := track_parked(p_order_no, p_channel, p_amount_minor, p_currency, p_number, p_attempt, p_expires_at);
  IF tracked IS NOT NULL THEN
    RETURN tracked;
  END IF;

  INSERT INTO lost_order AS l (order_no, channel, number, attempt, method, channel_data, amount_minor, currency,
                               expires_at, due_at)
  VALUES (p_order_no, p_channel, p_number, p_attempt, p_method, p_channel_data, p_amount_minor, p_currency,
          p_expires_at, clock_timestamp() + coalesce(p_due_in, first_delay(p_channel)))
  ON CONFLICT (order_no, channel, attempt) DO UPDATE
    SET number       = coalesce(l.number, excluded.number),
        method       = coalesce(l.method, excluded.method),
        channel_data = coalesce(l.channel_data || excluded.channel_data, l.channel_data, excluded.channel_data),
        expires_at   = CASE l.phase WHEN 'tail' THEN excluded.expires_at
                                    ELSE coalesce(excluded.expires_at, l.expires_at) END,
        -- An attempt that was closed begins anew; a question that is under way about it is fenced.
        phase        = CASE l.phase WHEN 'tail' THEN 'open' ELSE l.phase END,
        answers      = CASE l.phase WHEN 'tail' THEN 0 ELSE l.answers END,
        created_at   = CASE l.phase WHEN 'tail' THEN excluded.created_at ELSE l.created_at END,
        due_at       = CASE l.phase WHEN 'tail' THEN excluded.due_at ELSE l.due_at END,
        token        = CASE l.phase WHEN 'tail' THEN NULL ELSE l.token END
    WHERE l.amount_minor = excluded.amount_minor
      AND l.currency = excluded.currency
      AND coalesce(l.number = excluded.number, true)
  RETURNING l.attempt_id INTO tracked;

  IF tracked IS NULL THEN
    PERFORM track_differs(p_order_no, p_channel, p_attempt);
  END IF;
  RETURN tracked;
END
$$;

-- The parked twin of an attempt: it stays parked for its person, and learns what was unknown. Null: there is none.
CREATE FUNCTION track_parked(p_order_no text, p_channel text, p_amount_minor bigint, p_currency text, p_number text,
                             p_attempt text, p_expires_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  twin parked_order;
BEGIN
  -- What could not be tracked before is tracked now.
  DELETE FROM parked_order AS p
  WHERE p.order_no = p_order_no AND coalesce(p.channel, p_channel) = p_channel AND p.reason = 'untrackable';

  UPDATE parked_order AS p
  SET number     = coalesce(p.number, p_number),
      expires_at = coalesce(p_expires_at, p.expires_at)
  WHERE p.order_no = p_order_no AND p.channel = p_channel AND p.attempt = p_attempt
  RETURNING p.* INTO twin;

  IF twin.amount_minor <> p_amount_minor OR twin.currency <> p_currency OR twin.number <> p_number THEN
    PERFORM track_differs(p_order_no, p_channel, p_attempt);
  END IF;
  RETURN twin.attempt_id;
END
$$;

CREATE FUNCTION track_differs(p_order_no text, p_channel text, p_attempt text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION 'makegood.track: order % on channel % (attempt %) is tracked already with another amount, '
                  'currency or number; give a second payment attempt a p_attempt of its own',
                  p_order_no, p_channel, quote_literal(p_attempt)
    USING ERRCODE = 'invalid_parameter_value';
END
$$;

-- The notification did arrive: that attempt goes, parked or not. Other attempts of the order stay and are asked to
-- their end, which is how a double charge is seen. Returns how many rows went; 0 is fine, it was settled before.
CREATE FUNCTION resolve(p_order_no text, p_channel text, p_number text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  exact    bigint[]; -- carry the number that the notification names
  possible bigint[]; -- could be meant
  notes    bigint[]; -- of what could not be tracked: no attempts, they count where there is none
  gone     integer;
BEGIN
  IF p_order_no IS NULL OR p_channel IS NULL THEN
    RAISE EXCEPTION 'makegood.resolve: the order number or the channel is missing; give both'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  -- A settlement of these rows that is under way comes first: it may park one of them.
  PERFORM FROM lost_order AS l WHERE l.order_no = p_order_no AND l.channel = p_channel FOR UPDATE;

  SELECT array_agg(a.attempt_id) FILTER (WHERE a.number = p_number),
         array_agg(a.attempt_id) FILTER (WHERE (a.number IS NULL OR p_number IS NULL) AND NOT a.is_note),
         array_agg(a.attempt_id) FILTER (WHERE a.is_note)
    INTO exact, possible, notes
  FROM (SELECT l.attempt_id, l.number, false AS is_note FROM lost_order AS l
        WHERE l.order_no = p_order_no AND l.channel = p_channel
        UNION ALL
        SELECT p.attempt_id, p.number, p.reason = 'untrackable' FROM parked_order AS p
        WHERE p.order_no = p_order_no AND coalesce(p.channel, p_channel) = p_channel) AS a;

  IF exact IS NULL AND cardinality(possible) > 1 THEN
    RAISE EXCEPTION 'makegood.resolve: order % has % attempts on channel % that could be meant; give the number '
                    'that the notification names as p_number, and give it to makegood.track before',
                    p_order_no, cardinality(possible), p_channel
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  WITH lost AS (DELETE FROM lost_order AS l WHERE l.attempt_id = ANY (coalesce(exact, possible, notes)) RETURNING 1),
       parked AS (DELETE FROM parked_order AS p WHERE p.attempt_id = ANY (coalesce(exact, possible, notes)) RETURNING 1)
  SELECT (SELECT count(*) FROM lost) + (SELECT count(*) FROM parked) INTO gone;
  RETURN gone;
END
$$;

RESET ROLE;
