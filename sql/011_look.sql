-- Looking: what is told to people, to scrapers and to the status page. All of it reads; each answers JSON, so that a
-- table, a page and a script show the same. The daemon's role may call them as well: it has no rights on tables.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- 1234 and CNY -> 12.34; the minor units where the currency is unknown.
CREATE FUNCTION major_of(p_minor numeric, p_currency text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT CASE WHEN e.exponent IS NULL THEN p_minor::text
              ELSE round(p_minor / ('{1,10,100,1000,10000}'::numeric[])[e.exponent + 1], e.exponent)::text END
  FROM (SELECT currency_exponent(p_currency)) AS e (exponent)
$$;

CREATE FUNCTION seconds_between(p_from timestamptz, p_to timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN isfinite(p_from) AND isfinite(p_to) THEN floor(extract(epoch FROM p_to - p_from))::bigint END
$$;

-- ---- the whole ----

-- One channel's lost orders. Looks at 100,000 of them at the most, those that are due first: beyond, every figure says
-- "at least" (more is true).
CREATE FUNCTION backlog_of(p_channel text, p_moment timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp SET jit = off
AS $$
  SELECT jsonb_build_object(
    'waiting', coalesce(sum(g.waiting), 0), 'tail', coalesce(sum(g.rows - g.waiting), 0),
    'more', coalesce(sum(g.rows) > 100000, false), 'due', coalesce(sum(g.due), 0),
    'in_flight', coalesce(sum(g.in_flight), 0),
    'late_s', greatest(seconds_between(min(g.first_due), p_moment), 0),
    'oldest_s', greatest(seconds_between(min(g.oldest), p_moment), 0),
    'at_risk', coalesce(jsonb_object_agg(g.currency, jsonb_build_object(
                          'minor', least(g.minor, 9223372036854775807), 'text', major_of(g.minor, g.currency)))
                        FILTER (WHERE g.minor > 0), '{}'))
  FROM (SELECT s.currency::text AS currency, count(*) AS rows, count(*) FILTER (WHERE s.phase <> 'tail') AS waiting,
               count(*) FILTER (WHERE s.due_at <= p_moment) AS due,
               count(*) FILTER (WHERE s.token IS NOT NULL AND s.due_at > p_moment) AS in_flight,
               min(s.due_at) AS first_due, min(s.created_at) FILTER (WHERE s.phase <> 'tail') AS oldest,
               sum(s.amount_minor) FILTER (WHERE s.phase <> 'tail') AS minor
        FROM (SELECT l.currency, l.phase, l.due_at, l.token, l.created_at, l.amount_minor FROM lost_order AS l
              WHERE l.channel = p_channel ORDER BY l.due_at LIMIT 100001) AS s
        GROUP BY 1) AS g
$$;

-- What the daemons and the shop did about one channel within the last hour.
CREATE FUNCTION lately_of(p_channel text, p_moment timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT jsonb_build_object(
    'queries', coalesce(sum(t.queries), 0), 'answers', coalesce(sum(t.answers), 0),
    'faults', coalesce(sum(t.faults), 0), 'ended', coalesce(sum(t.ended), 0), 'paid', coalesce(sum(t.paid), 0),
    'paid_by_shop', coalesce(sum(t.paid_by_shop), 0),
    'fault_share', round(sum(t.faults) / nullif(sum(t.faults) + sum(t.answers), 0), 4),
    -- of the payments that became known, those whose notification did not arrive in time
    'missed_share', round(sum(t.paid) / nullif(sum(t.paid) + sum(t.paid_by_shop), 0), 4))
  FROM tally AS t WHERE t.channel = p_channel AND t.slot > p_moment - interval '65 minutes'
$$;

-- Daemons that beat within the last day.
CREATE FUNCTION instances_seen(p_moment timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object(
           'instance', i.name, 'version', i.version, 'started_at', i.started_at,
           'lives', lives(i, p_moment),
           'seen_s', seconds_between(i.seen_at, p_moment), 'lanes', i.lanes) ORDER BY i.name), '[]')
  FROM instance AS i
$$;

-- What holds back: one channel, and everything; null: nothing does.
CREATE FUNCTION pause_of(p_channel text, p_moment timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT jsonb_build_object('until', nullif(p.paused_until, 'infinity'), 'by', p.paused_by, 'note', p.paused_note)
  FROM paused_channel AS p WHERE p.channel = p_channel AND p.paused_until > p_moment
$$;

CREATE FUNCTION halt_now() RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT jsonb_build_object('at', s.halted_at, 'by', s.halted_by, 'note', s.halted_note)
  FROM steering AS s WHERE s.halted_at IS NOT NULL
$$;

-- Channels that orders were tracked with and no daemon has announced: nobody asks them. Twenty at the most. Hops along
-- the index from channel to channel.
CREATE FUNCTION channels_unknown() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp SET enable_seqscan = off SET jit = off
AS $$
  WITH RECURSIVE tracked AS (
    (SELECT l.channel FROM lost_order AS l ORDER BY l.channel LIMIT 1)
    UNION ALL
    SELECT (SELECT l.channel FROM lost_order AS l WHERE l.channel > t.channel ORDER BY l.channel LIMIT 1)
    FROM tracked AS t WHERE t.channel IS NOT NULL
  )
  SELECT t.channel::text FROM tracked AS t
  WHERE t.channel IS NOT NULL AND NOT EXISTS (SELECT FROM channel AS c WHERE c.name = t.channel) LIMIT 20
$$;

-- What is parked without a channel, or with one that nobody announced, is told under the name ''.
CREATE FUNCTION overview() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
AS $$
  WITH parked AS MATERIALIZED (
    SELECT coalesce(c.name, '') AS channel, p.reason, sum(p.rows) AS rows
    FROM (SELECT p.channel, p.reason, count(*) AS rows FROM parked_order AS p GROUP BY 1, 2) AS p
    LEFT JOIN channel AS c ON c.name = p.channel GROUP BY 1, 2
  ), named AS (
    SELECT c.name::text AS channel FROM channel AS c UNION SELECT p.channel FROM parked AS p
    UNION SELECT u FROM channels_unknown() AS u
  )
  SELECT jsonb_build_object(
    'at', m.moment,
    'schema', (SELECT max(v.version) FROM schema_version AS v),
    'halted', halt_now(),
    'instances', instances_seen(m.moment),
    'channels', coalesce((
      SELECT jsonb_agg(
        jsonb_build_object('channel', n.channel)
        || backlog_of(n.channel, m.moment)
        || jsonb_build_object(
             'parked', coalesce((SELECT jsonb_object_agg(p.reason, p.rows) FROM parked AS p
                                 WHERE p.channel = n.channel), '{}'),
             'lately', lately_of(n.channel, m.moment),
             'known', EXISTS (SELECT FROM channel AS c WHERE c.name = n.channel),
             'paused', pause_of(n.channel, m.moment))
        ORDER BY n.channel) FROM named AS n), '[]'))
  FROM (SELECT clock_timestamp()) AS m (moment)
$$;

-- By slots of five minutes, for a chart: the last p_since, at the most eight days.
CREATE FUNCTION over_time(p_since interval) RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
AS $$
  SELECT jsonb_build_object('slot', t.slot, 'waiting', sum(t.waiting), 'queries', sum(t.queries),
                            'answers', sum(t.answers), 'faults', sum(t.faults), 'ended', sum(t.ended),
                            'paid', sum(t.paid), 'paid_by_shop', sum(t.paid_by_shop))
  FROM tally AS t WHERE t.slot > now() - p_since GROUP BY t.slot ORDER BY t.slot
$$;

-- ---- one by one ----

-- A lost order, waiting or parked, as people see it.
CREATE VIEW seen_order AS
  SELECT a.*, CASE WHEN a.reason <> '' THEN 'parked'
                   WHEN a.token IS NOT NULL AND a.due_at > clock_timestamp() THEN 'asked'
                   WHEN a.phase = 'tail' THEN 'tail'
                   WHEN a.due_at <= clock_timestamp() THEN 'due'
                   ELSE 'waiting' END AS state
  FROM (SELECT l.attempt_id, l.order_no::text, l.channel::text, l.number::text, l.attempt::text, l.method::text,
               l.amount_minor::bigint, l.currency::text, l.created_at::timestamptz, l.expires_at::timestamptz, l.due_at,
               l.token, l.claimed_by, l.claims, l.phase::text, l.answers, l.errors, l.unknowns, ''::text AS reason,
               ''::text AS detail, NULL::timestamptz AS parked_at
        FROM lost_order AS l
        UNION ALL
        SELECT p.attempt_id, p.order_no COLLATE "C", p.channel COLLATE "C", p.number COLLATE "C", p.attempt::text,
               p.method::text, p.amount_minor, p.currency COLLATE "C", p.created_at::timestamptz,
               p.expires_at::timestamptz, p.due_at, NULL, p.claimed_by, p.claims, p.phase::text, p.answers, p.errors,
               p.unknowns, p.reason, p.detail, p.parked_at
        FROM parked_order AS p) AS a;

-- Those of one order. Said twice: each of the two tables has its index in the one collation of those.
CREATE FUNCTION seen_of(p_order_no text) RETURNS SETOF seen_order
LANGUAGE sql STABLE
AS $$
  SELECT s.* FROM makegood.seen_order AS s
  WHERE s.order_no COLLATE "C" = p_order_no AND s.order_no COLLATE "default" = p_order_no
$$;

CREATE FUNCTION order_told(p_order seen_order, p_moment timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT jsonb_strip_nulls(jsonb_build_object(
    'attempt_id', p_order.attempt_id, 'order_no', p_order.order_no, 'channel', p_order.channel,
    'number', p_order.number, 'attempt', nullif(p_order.attempt, ''), 'method', p_order.method,
    'amount_minor', p_order.amount_minor, 'amount', major_of(p_order.amount_minor, p_order.currency),
    'currency', p_order.currency, 'state', p_order.state, 'reason', nullif(p_order.reason, ''),
    'detail', nullif(p_order.detail, ''), 'created_at', p_order.created_at,
    'age_s', seconds_between(p_order.created_at, p_moment), 'expires_at', p_order.expires_at,
    'due_in_s', CASE WHEN p_order.state <> 'parked' THEN seconds_between(p_moment, p_order.due_at) END,
    'phase', p_order.phase, 'answers', p_order.answers, 'errors', p_order.errors, 'unknowns', p_order.unknowns,
    'claims', p_order.claims, 'claimed_by', CASE WHEN p_order.state = 'asked' THEN p_order.claimed_by END,
    'parked_at', p_order.parked_at))
$$;

-- Null leaves a filter away. p_sort: oldest or riskiest first.
CREATE FUNCTION orders(p_order_no text, p_channel text, p_parked boolean, p_reason text, p_older interval, p_sort text,
                       p_most integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
SET plan_cache_mode = force_custom_plan -- a filter that is left away leaves the plan as well
AS $$
BEGIN
  RETURN QUERY
  SELECT order_told(s, clock_timestamp())
  FROM seen_order AS s
  WHERE (p_order_no IS NULL OR (s.order_no COLLATE "C" = p_order_no AND s.order_no COLLATE "default" = p_order_no))
    AND (p_channel IS NULL OR s.channel = p_channel)
    AND (p_parked IS NULL OR (s.reason <> '') = p_parked)
    AND (p_reason IS NULL OR s.reason = p_reason)
    AND (p_older IS NULL OR s.created_at < clock_timestamp() - p_older)
  ORDER BY CASE p_sort WHEN 'riskiest' THEN s.amount_minor END DESC NULLS LAST, s.created_at, s.attempt_id
  LIMIT greatest(p_most, 0);
END
$$;

-- Every question about an order, and everything that operators did to it, in order.
CREATE FUNCTION history(p_order_no text) RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
AS $$
  SELECT h.told
  FROM (SELECT q.logged_at AS at, 0 AS kind,
               jsonb_strip_nulls(jsonb_build_object('at', q.logged_at, 'kind', 'query', 'amount',
                                                    major_of(q.amount_minor, q.currency)) || to_jsonb(q)) AS told
        FROM query_log AS q WHERE q.order_no = p_order_no
        UNION ALL
        SELECT o.at, 1, jsonb_strip_nulls(jsonb_build_object('kind', 'operator') || to_jsonb(o))
        FROM operator_log AS o WHERE o.order_no = p_order_no) AS h
  ORDER BY h.at, h.kind
$$;

-- Of each attempt of an order that is open: itself, what was said about it last, and what holds it back.
CREATE FUNCTION explain(p_order_no text) RETURNS SETOF jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp SET jit = off
AS $$
  SELECT order_told(s, clock_timestamp()) || jsonb_build_object(
    'left_s', seconds_between(clock_timestamp(), s.expires_at),
    'last', (SELECT jsonb_strip_nulls(to_jsonb(q)) FROM query_log AS q
             WHERE q.order_no = s.order_no AND q.attempt_id = s.attempt_id
             ORDER BY q.logged_at DESC LIMIT 1),
    'paused', pause_of(s.channel, clock_timestamp()), 'halted', halt_now(),
    'known', EXISTS (SELECT FROM channel AS c WHERE c.name = s.channel))
  FROM seen_of(p_order_no) AS s ORDER BY s.attempt_id
$$;

GRANT EXECUTE ON FUNCTION overview(), over_time(interval),
  orders(text, text, boolean, text, interval, text, integer), history(text), explain(text)
TO makegood_daemon, makegood_operator, makegood_reader;
GRANT SELECT ON seen_order TO makegood_operator, makegood_reader;

RESET ROLE;
