-- Makes the functions of a mapping (see 006_mapping.sql) and the trigger. Run by `makegood migrate`.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- Locks orders and reads them; what somebody else holds, and what does not exist, is left out.
CREATE FUNCTION order_lock_source(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT format($made$
CREATE FUNCTION makegood.order_lock(p_keys text[]) RETURNS SETOF makegood.order_state
LANGUAGE plpgsql SECURITY DEFINER ROWS 500
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan
AS %L$made$, format($body$
BEGIN
  RETURN QUERY
  SELECT o.%1$I::text, o.%2$I::text, %3$s, %4$s, %5$s, %6$s, o.ctid
  FROM %7$s AS o
  WHERE o.%1$I = ANY (%8$s)
  FOR NO KEY UPDATE OF o SKIP LOCKED;
END
$body$, p_mapping ->> 'key', p_mapping ->> 'status', amount_expression(p_mapping, 'o'),
        currency_expression(p_mapping, 'o'), column_expression(p_mapping, 'o', 'channel', 'text'),
        column_expression(p_mapping, 'o', 'channel_number', 'text'), mapped_table(p_mapping),
        keys_expression(p_mapping)))
$source$;

-- Tells an order that is locked from one that does not exist.
CREATE FUNCTION order_present_source(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT format($made$
CREATE FUNCTION makegood.order_present(p_key text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET enable_seqscan = off SET jit = off
AS %L$made$, format($body$
DECLARE
  p_keys text[] := ARRAY[p_key];
BEGIN
  RETURN EXISTS (SELECT FROM %2$s AS o WHERE o.%1$I = ANY (%3$s) AND o.%1$I::text = p_key);
END
$body$, p_mapping ->> 'key', mapped_table(p_mapping), keys_expression(p_mapping)))
$source$;

-- What one target writes into an order, from a row w of what is known of the payment.
CREATE FUNCTION order_assignments(p_mapping jsonb, p_target text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT string_agg(format('%I = %s', a.name, a.value), ', ')
  FROM (SELECT c.name, CASE c.key
                 WHEN 'status' THEN format('%L::%s', t.written, c.type)
                 WHEN 'channel' THEN format('w.channel::%s', c.type)
                 WHEN 'channel_number' THEN format('coalesce(nullif(w.number, %L)::%s, o.%I)', '', c.type, c.name)
                 WHEN 'paid_at' THEN 'now()' END AS value
        FROM mapped_columns(p_mapping) AS c, target_statuses(p_mapping, p_target) AS t
        WHERE c.name IS NOT NULL
          AND (c.key = 'status'
               OR (c.key IN ('channel', 'channel_number') AND p_target <> 'closed')
               OR (c.key = 'paid_at' AND p_target IN ('paid', 'late')))) AS a
$source$;

-- One conditional update: the statuses it may leave stand in its WHERE clause. Paid orders are written first, right
-- after they were locked, so each still lies where order_lock() found it; later ones a trigger may have moved.
CREATE FUNCTION order_update_source(p_mapping jsonb, p_target text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT format($made$
  IF p_target = %1$L THEN
    RETURN QUERY
    UPDATE %2$s AS o SET %3$s
    FROM (SELECT unnest(%4$s) AS key, unnest(p_channels) AS channel, unnest(p_numbers) AS number,
                 unnest(p_spots) AS spot) AS w
    WHERE %9$s o.%5$I = w.key AND o.%6$I = ANY (%7$L::%8$s[])
    RETURNING o.%5$I::text;
  END IF;$made$,
    p_target, mapped_table(p_mapping), order_assignments(p_mapping, p_target), keys_expression(p_mapping),
    p_mapping ->> 'key', p_mapping ->> 'status', t.may_leave, s.type,
    CASE p_target WHEN 'paid' THEN 'o.ctid = w.spot AND' ELSE '' END)
  FROM column_type(mapped_table(p_mapping), p_mapping ->> 'status') AS s,
       target_statuses(p_mapping, p_target) AS t
$source$;

-- Locks and writes in one statement the orders that plainly may be paid: those that nobody holds, in the amount that
-- was paid, in a status that may be left. One that changed while this statement ran is locked but not seen where it
-- lies now, so it is not written: that one, and all others, order_lock() and a later statement look at. In a
-- partitioned table a key may occur twice and a ctid in every partition: there everything goes the long way.
CREATE FUNCTION order_pay_source(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT format($made$
CREATE FUNCTION makegood.order_pay(p_places integer[], p_keys text[], p_channels text[], p_numbers text[],
                                   p_amounts bigint[], p_currencies text[])
RETURNS TABLE (place integer, status text)
LANGUAGE plpgsql SECURITY DEFINER ROWS 500
SET enable_seqscan = off SET enable_bitmapscan = on SET enable_hashjoin = on SET enable_mergejoin = on
SET plan_cache_mode = auto
AS %L$made$, CASE WHEN (SELECT c.relkind = 'p' FROM pg_class AS c WHERE c.oid = mapped_table(p_mapping))
  THEN 'BEGIN END' ELSE format($body$
#variable_conflict use_column
BEGIN
  PERFORM set_config('makegood.writing', 'on', true);
  RETURN QUERY
  UPDATE %1$s AS o SET %2$s
  FROM (SELECT e.place, e.key, e.channel, e.number, l.%3$I::text AS status, l.ctid AS spot
        FROM (SELECT unnest(p_places) AS place, unnest(%4$s) AS key, unnest(p_channels) AS channel,
                     unnest(p_numbers) AS number, unnest(p_amounts) AS amount, unnest(p_currencies) AS currency) AS e
        JOIN %1$s AS l ON l.%5$I = e.key
        WHERE l.%3$I = ANY (%6$L::%7$s[]) AND %8$s = e.amount AND %9$s = e.currency
        FOR NO KEY UPDATE OF l SKIP LOCKED) AS w
  WHERE o.ctid = w.spot AND o.%5$I = w.key
  RETURNING w.place, w.status;
  PERFORM set_config('makegood.writing', '', true);
END
$body$, mapped_table(p_mapping), order_assignments(p_mapping, 'paid'), p_mapping ->> 'status',
        keys_expression(p_mapping), p_mapping ->> 'key', t.may_leave, s.type, amount_expression(p_mapping, 'l'),
        currency_expression(p_mapping, 'l')) END)
  FROM column_type(mapped_table(p_mapping), p_mapping ->> 'status') AS s,
       target_statuses(p_mapping, 'paid') AS t
$source$;

-- Writes one target into orders that are locked; answers the keys it wrote. Its triggers are the shop's: they find the
-- planner as it is by default, and makegood's own trigger knows this setting and keeps still.
CREATE FUNCTION order_write_source(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT format($made$
CREATE FUNCTION makegood.order_write(p_target text, p_keys text[], p_channels text[], p_numbers text[],
                                     p_spots tid[])
RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER ROWS 500
SET enable_seqscan = off SET enable_bitmapscan = on SET enable_hashjoin = on SET enable_mergejoin = on
SET plan_cache_mode = auto
AS %L$made$, format($body$
BEGIN
  PERFORM set_config('makegood.writing', 'on', true);
%s
  PERFORM set_config('makegood.writing', '', true);
END
$body$, string_agg(coalesce(order_update_source(p_mapping, t.target), ''), '')))
  FROM unnest('{paid,late,closed,refunded}'::text[]) AS t (target)
$source$;

-- Unpaid orders, for adopt().
CREATE FUNCTION order_unpaid_source(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT format($made$
CREATE FUNCTION makegood.order_unpaid_since(p_since timestamptz)
RETURNS TABLE (order_no text, channel text, number text, amount_minor bigint, currency text, created_at timestamptz,
               expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
AS %L$made$, format($body$
  SELECT o.%1$I::text, %2$s, %3$s, %4$s, %5$s, %6$s, %7$s
  FROM %8$s AS o
  WHERE o.%9$I = ANY (%10$L::%11$s[]) AND %6$s >= p_since
$body$, p_mapping ->> 'key', column_expression(p_mapping, 'o', 'channel', 'text'),
        column_expression(p_mapping, 'o', 'channel_number', 'text'), amount_expression(p_mapping, 'o'),
        currency_expression(p_mapping, 'o'), column_expression(p_mapping, 'o', 'created_at', 'timestamptz'),
        column_expression(p_mapping, 'o', 'expires_at', 'timestamptz'), mapped_table(p_mapping),
        p_mapping ->> 'status', statuses_as(p_mapping, p_mapping -> 'unpaid'), s.type))
  FROM column_type(mapped_table(p_mapping), p_mapping ->> 'status') AS s
$source$;

-- The trigger only names the columns; what it means is order_seen() in 008_watch.sql.
CREATE FUNCTION order_watch_source(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $source$
  SELECT format($made$
CREATE FUNCTION makegood.order_watch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS %1$L;
CREATE TRIGGER makegood_watch_insert AFTER INSERT ON %2$s FOR EACH ROW EXECUTE FUNCTION makegood.order_watch();
CREATE TRIGGER makegood_watch_update AFTER UPDATE ON %2$s FOR EACH ROW
  WHEN (coalesce(current_setting('makegood.writing', true), '') <> 'on' AND (%3$s))
  EXECUTE FUNCTION makegood.order_watch();
$made$, format($body$
BEGIN
  PERFORM makegood.order_seen(NEW.%1$I::text, NEW.%2$I::text, CASE TG_OP WHEN 'UPDATE' THEN OLD.%2$I::text END,
                              %3$s, %4$s, %5$s, %6$s, %7$s);
  RETURN NULL;
EXCEPTION WHEN OTHERS THEN
  PERFORM makegood.order_unseen(to_jsonb(NEW) ->> %1$L, SQLERRM);
  RETURN NULL;
END
$body$, p_mapping ->> 'key', p_mapping ->> 'status', column_expression(p_mapping, 'NEW', 'channel', 'text'),
        column_expression(p_mapping, 'NEW', 'channel_number', 'text'), amount_expression(p_mapping, 'NEW'),
        currency_expression(p_mapping, 'NEW'), column_expression(p_mapping, 'NEW', 'expires_at', 'timestamptz')),
    mapped_table(p_mapping),
    (SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', c.name), ' OR ')
     FROM mapped_columns(p_mapping) AS c
     WHERE c.key IN ('status', 'channel', 'channel_number') AND c.name IS NOT NULL))
  WHERE p_mapping ->> 'trigger' = 'true'
$source$;

-- Takes away what an earlier mapping made, on whatever table.
CREATE FUNCTION uninstall_mapping() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  made record;
BEGIN
  FOR made IN SELECT t.tgname, t.tgrelid::regclass AS place FROM pg_trigger AS t
              WHERE t.tgfoid = to_regprocedure('makegood.order_watch()') AND t.tgparentid = 0 LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', made.tgname, made.place);
  END LOOP;
  DROP FUNCTION IF EXISTS makegood.order_watch(), makegood.order_lock(text[]), makegood.order_present(text),
                          makegood.order_pay(integer[], text[], text[], text[], bigint[], text[]),
                          makegood.order_write(text, text[], text[], text[], tid[]),
                          makegood.order_unpaid_since(timestamptz);
  DELETE FROM makegood.mapping;
END
$$;

-- The functions that touch the order table go to its owner, get its search_path, and serve makegood_owner alone.
CREATE FUNCTION hand_over_mapping(p_mapping jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = mapped_table(p_mapping));
  path  text    := (SELECT coalesce(string_agg(quote_ident(s.name), ', ') || ', ', '') || 'pg_temp'
                    FROM search_schemas(p_mapping) AS s (name));
  made  regprocedure;
BEGIN
  IF owner <> 'makegood_owner'::regrole THEN
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA makegood TO %s', owner);
    EXECUTE format('GRANT EXECUTE ON FUNCTION makegood.minor_of(numeric, text), makegood.whole_of(numeric), '
                   'makegood.currency_exponent(text) TO %s', owner);
  END IF;
  FOREACH made IN ARRAY ARRAY['makegood.order_lock(text[])', 'makegood.order_present(text)',
                              'makegood.order_pay(integer[], text[], text[], text[], bigint[], text[])',
                              'makegood.order_write(text, text[], text[], text[], tid[])',
                              'makegood.order_unpaid_since(timestamptz)']::regprocedure[] LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = %s', made, path);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO makegood_owner', made);
    EXECUTE format('ALTER FUNCTION %s OWNER TO %s', made, owner);
  END LOOP;
  IF to_regprocedure('makegood.order_watch()') IS NOT NULL THEN
    REVOKE ALL ON FUNCTION makegood.order_watch() FROM PUBLIC;
    ALTER FUNCTION makegood.order_watch() OWNER TO makegood_owner;
  END IF;
  IF owner <> 'makegood_owner'::regrole THEN
    EXECUTE format('REVOKE CREATE ON SCHEMA makegood FROM %s', owner);
  END IF;
END
$$;

-- Runs with the migrator's rights: it needs to be a superuser, or a member of the order table's owner.
CREATE FUNCTION install_mapping(p_mapping jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp SET lock_timeout = '10s'
AS $$
#variable_conflict use_column
DECLARE
  faults   text := (SELECT string_agg(f.fault || '; ' || f.mend, E'\n') FROM mapping_faults(p_mapping) AS f);
  mapped   regclass := mapped_table(p_mapping);
  owner    regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = mapped);
  paid     record;
  late     record;
  closed   record;
  refunded record;
BEGIN
  IF faults IS NOT NULL THEN
    RAISE EXCEPTION 'makegood.install_mapping: %', faults USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF NOT pg_has_role(owner, 'MEMBER') THEN
    RAISE EXCEPTION 'makegood.install_mapping: % is not a member of %, who owns %', current_user, owner, mapped
      USING ERRCODE = 'insufficient_privilege', HINT = format('GRANT %s TO %I', owner, current_user);
  END IF;
  PERFORM pg_advisory_xact_lock(hashtext('makegood.install_mapping'));

  PERFORM uninstall_mapping();
  EXECUTE order_lock_source(p_mapping);
  EXECUTE order_present_source(p_mapping);
  EXECUTE order_pay_source(p_mapping);
  EXECUTE order_write_source(p_mapping);
  EXECUTE order_unpaid_source(p_mapping);
  IF p_mapping ->> 'trigger' = 'true' THEN
    EXECUTE order_watch_source(p_mapping);
  END IF;
  PERFORM hand_over_mapping(p_mapping);

  SELECT * INTO paid FROM target_statuses(p_mapping, 'paid');
  SELECT * INTO late FROM target_statuses(p_mapping, 'late');
  SELECT * INTO closed FROM target_statuses(p_mapping, 'closed');
  SELECT * INTO refunded FROM target_statuses(p_mapping, 'refunded');
  INSERT INTO mapping (definition, hash, order_table, unpaid, paid_write, paid_from, paid_here, late_from, closed_write,
                       closed_from, closed_here, refunded_write, refunded_from, refunded_here, has_channel, has_number)
  VALUES (p_mapping, encode(sha256(convert_to(p_mapping::text, 'UTF8')), 'hex'), mapped,
          statuses_as(p_mapping, p_mapping -> 'unpaid'), paid.written, paid.may_leave, paid.means, late.may_leave,
          closed.written, closed.may_leave, closed.means,
          refunded.written, coalesce(refunded.may_leave, '{}'), coalesce(refunded.means, '{}'),
          p_mapping ->> 'channel' IS NOT NULL, p_mapping ->> 'channel_number' IS NOT NULL);
END
$$;

RESET ROLE;
