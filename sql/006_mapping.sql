-- The shop's order table is the shop's own. install_mapping() reads the configuration's `order_table` and makes the
-- few functions that touch that table: order_pay, order_lock, order_present, order_write, order_unpaid_since and, where
-- asked, the trigger order_watch. Each belongs to the table's owner and has the configured search_path, so that the shop's
-- own triggers keep working. Names enter the made text by %I, values by %L, and nothing else of the mapping does.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- The table, or null when there is none of that name; the name carries its schema. Looks into the catalog only: the
-- one who asks need not have rights in that schema.
CREATE FUNCTION mapped_table(p_mapping jsonb) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  named text[];
BEGIN
  named := parse_ident(p_mapping ->> 'table');
  RETURN (SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
          WHERE cardinality(named) = 2 AND n.nspname = named[1] AND c.relname = named[2]
            AND c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'makegood'));
EXCEPTION WHEN invalid_parameter_value THEN
  RETURN NULL;
END
$$;

-- A column's type without its domains, and what kind of thing that is; no row: there is no such column.
CREATE FUNCTION column_type(p_table regclass, p_column text) RETURNS TABLE (type text, kind text, base oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH RECURSIVE base AS (
    SELECT t.* FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
    WHERE a.attrelid = p_table AND a.attname = p_column AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT t.* FROM base JOIN pg_type AS t ON t.oid = base.typbasetype WHERE base.typtype = 'd'
  )
  SELECT format_type(base.oid, -1),
         CASE WHEN base.oid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) THEN 'integer'
              WHEN base.oid = 'numeric'::regtype THEN 'numeric'
              WHEN base.oid = 'uuid'::regtype THEN 'uuid'
              WHEN base.oid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) THEN 'time'
              WHEN base.typtype = 'e' THEN 'enum'
              WHEN base.typcategory = 'S' THEN 'text'
              ELSE 'other' END,
         base.oid
  FROM base WHERE base.typtype <> 'd'
$$;

-- Every column the mapping may name, the kinds it may be of, and whether it must be there.
CREATE FUNCTION mapped_columns(p_mapping jsonb)
RETURNS TABLE (key text, name text, kinds text[], needed boolean, type text, kind text)
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT w.key, p_mapping ->> w.key, w.kinds, w.needed, c.type, c.kind
  FROM (VALUES ('key', '{text,integer,numeric,uuid}'::text[], true),
               ('status', '{text,integer,enum}', true),
               ('amount', '{integer,numeric}', true),
               ('currency', '{text,enum}', false),
               ('channel', '{text,enum}', false),
               ('channel_number', '{text}', false),
               ('paid_at', '{time}', false),
               ('created_at', '{time}', false),
               ('expires_at', '{time}', false)) AS w (key, kinds, needed)
  LEFT JOIN LATERAL column_type(mapped_table(p_mapping), p_mapping ->> w.key) AS c ON true
$$;

-- A list of statuses as the column writes them ('01' in an integer column is '1'). Raises on what it can not hold.
CREATE FUNCTION statuses_as(p_mapping jsonb, p_list jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  statuses text[] := ARRAY(SELECT jsonb_array_elements_text(
                       CASE jsonb_typeof(p_list) WHEN 'array' THEN p_list ELSE '[]' END));
  col      record;
BEGIN
  SELECT c.* INTO col FROM column_type(mapped_table(p_mapping), p_mapping ->> 'status') AS c;
  IF col.kind = 'integer' THEN
    EXECUTE format('SELECT $1::%s[]::text[]', col.type) INTO statuses USING statuses;
  ELSIF col.kind = 'enum' AND NOT array_remove(statuses, NULL) <@ ARRAY(
          SELECT e.enumlabel::text FROM pg_enum AS e WHERE e.enumtypid = col.base) THEN
    RAISE EXCEPTION 'one of % is no label of %', statuses, col.type USING ERRCODE = 'invalid_text_representation';
  END IF;
  RETURN statuses;
END
$$;

-- What the mapping says about one target (late: paid, from what is closed here): the written status, the ones it may be left from, the ones that mean it.
CREATE FUNCTION target_statuses(p_mapping jsonb, p_target text,
                                OUT written text, OUT may_leave text[], OUT means text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT w.statuses[1], statuses_as(p_mapping, t.section -> 'from'),
         w.statuses || statuses_as(p_mapping, t.section -> 'also')
  FROM (SELECT CASE p_target
                 WHEN 'late' THEN p_mapping -> 'paid' || jsonb_build_object('from', coalesce(
                   nullif(p_mapping #> '{paid,late_from}', '[]'), jsonb_build_array(p_mapping #> '{closed,write}')))
                 ELSE p_mapping -> p_target END AS section) AS t
  CROSS JOIN LATERAL statuses_as(p_mapping, jsonb_build_array(t.section -> 'write')) AS w (statuses)
  WHERE jsonb_typeof(t.section) = 'object'
$$;

-- Why this mapping can not work: what and where, and the mend. No row: it fits the database as it is now.
CREATE FUNCTION mapping_faults(p_mapping jsonb) RETURNS TABLE (fault text, mend text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  mapped regclass := mapped_table(p_mapping);
BEGIN
  IF mapped IS NULL THEN
    RETURN QUERY SELECT format('order_table.table: there is no table %s', coalesce(p_mapping ->> 'table', '')),
                        'write it with its schema, as public.orders; it must lie in this database'::text;
    RETURN;
  END IF;
  RETURN QUERY
  SELECT format('order_table.%s: it is not given', c.key), 'name the column'::text
  FROM mapped_columns(p_mapping) AS c WHERE c.needed AND c.name IS NULL
  UNION ALL
  SELECT format('order_table.%s: table %s has no column %s', c.key, mapped, c.name),
         'name a column that exists, or leave the key away where it may be absent'
  FROM mapped_columns(p_mapping) AS c WHERE c.name IS NOT NULL AND c.kind IS NULL
  UNION ALL
  SELECT format('order_table.%s: column %s is of type %s', c.key, c.name, c.type),
         format('map a column of one of these kinds: %s', array_to_string(c.kinds, ', '))
  FROM mapped_columns(p_mapping) AS c WHERE c.kind <> ALL (c.kinds)
  UNION ALL
  SELECT format('order_table.key: no unique index of %s is on column %s alone', mapped, p_mapping ->> 'key'),
         'create one (on a partitioned table: an index that begins with it), or map the unique key'
  WHERE NOT EXISTS (
    SELECT FROM pg_index AS i
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    JOIN pg_class AS c ON c.oid = i.indrelid
    WHERE i.indrelid = mapped AND a.attname = p_mapping ->> 'key' AND i.indisvalid AND i.indpred IS NULL
      AND ((i.indisunique AND i.indnkeyatts = 1) OR c.relkind = 'p'))
  UNION ALL
  SELECT 'order_table: exactly one of currency and currency_fixed is needed', 'map the column, or fix one currency'
  WHERE (p_mapping ->> 'currency' IS NULL) = (p_mapping ->> 'currency_fixed' IS NULL)
  UNION ALL
  SELECT format('order_table.currency_fixed: %s is no ISO 4217 currency', p_mapping ->> 'currency_fixed'),
         'write three upper-case letters, as CNY'
  WHERE p_mapping ->> 'currency_fixed' IS NOT NULL AND currency_exponent(p_mapping ->> 'currency_fixed') IS NULL
  UNION ALL
  SELECT 'order_table.amount_unit: it is neither minor nor decimal', 'write minor for cents, decimal for 12.34'
  WHERE (p_mapping ->> 'amount_unit' IN ('minor', 'decimal')) IS NOT TRUE
  UNION ALL
  SELECT 'order_table.trigger: it needs the channel column', 'map order_table.channel, or set trigger to false'
  WHERE p_mapping ->> 'trigger' = 'true' AND p_mapping ->> 'channel' IS NULL
  UNION ALL
  SELECT format('order_table.search_path: there is no schema %s', s.name),
         'name schemas that exist, with commas between'
  FROM search_schemas(p_mapping) AS s (name) WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = s.name)
  UNION ALL
  SELECT f.fault, f.mend FROM status_faults(p_mapping) AS f;
END
$$;

CREATE FUNCTION search_schemas(p_mapping jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT btrim(s.name, ' "')
  FROM regexp_split_to_table(p_mapping ->> 'search_path', ',') WITH ORDINALITY AS s (name, place)
  WHERE btrim(s.name, ' "') NOT IN ('', 'pg_temp') ORDER BY s.place
$$;

CREATE FUNCTION status_faults(p_mapping jsonb) RETURNS TABLE (fault text, mend text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  target text;
  unpaid text[] := '{}';
  paid   record;
  late   record;
  closed record;
BEGIN
  IF NOT EXISTS (SELECT FROM column_type(mapped_table(p_mapping), p_mapping ->> 'status')) THEN
    RETURN; -- the missing column is a fault of its own
  END IF;
  unpaid := statuses_as(p_mapping, p_mapping -> 'unpaid');
  IF cardinality(unpaid) = 0 THEN
    RETURN QUERY SELECT 'order_table.unpaid: no status is named'::text, 'list the statuses of an unpaid order'::text;
  END IF;
  FOREACH target IN ARRAY '{paid,closed,refunded}'::text[] LOOP
    CONTINUE WHEN target = 'refunded' AND coalesce(jsonb_typeof(p_mapping -> target), 'null') = 'null';
    IF NOT EXISTS (SELECT FROM target_statuses(p_mapping, target) AS t
                   WHERE t.written IS NOT NULL AND cardinality(t.may_leave) > 0) THEN
      RETURN QUERY SELECT format('order_table.%s: write or from is missing', target),
                          'name the status to write and the statuses that may be left for it'::text;
    END IF;
  END LOOP;
  SELECT * INTO paid FROM target_statuses(p_mapping, 'paid');
  SELECT * INTO closed FROM target_statuses(p_mapping, 'closed');
  SELECT * INTO late FROM target_statuses(p_mapping, 'late');
  IF NOT late.may_leave <@ closed.means THEN
    RETURN QUERY SELECT 'order_table.paid.late_from: one of its statuses does not mean closed'::text,
                        'name statuses among closed.write and closed.also'::text;
  END IF;
  IF paid.means && closed.means OR paid.means && unpaid THEN
    RETURN QUERY SELECT 'order_table: one status means paid, and closed or unpaid as well'::text,
                        'give each status one meaning'::text;
  END IF;
EXCEPTION WHEN data_exception THEN
  RETURN QUERY SELECT format('order_table: a status does not fit the column %s: %s', p_mapping ->> 'status', SQLERRM),
                      'write statuses that the column can hold'::text;
END
$$;

-- An order number as the key column's own type, so that its index serves; null when the column can not hold it: '007'
-- is no integer key, it would find order 7.
CREATE FUNCTION key_expression(p_mapping jsonb, p_key text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT CASE c.kind
    WHEN 'integer' THEN format($e$CASE WHEN %1$s ~ '^(0|[1-9][0-9]{0,18})$'
                      AND (length(%1$s) < 19 OR %1$s COLLATE "C" <= '9223372036854775807') THEN %1$s::bigint END$e$,
                               p_key)
    WHEN 'numeric' THEN format($e$CASE WHEN %1$s ~ '^(0|[1-9][0-9]*)$' THEN %1$s::numeric END$e$, p_key)
    WHEN 'uuid' THEN format($e$CASE WHEN %1$s ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
                      THEN %1$s::uuid END$e$, p_key)
    ELSE format('%s::%s', p_key, c.type) END
  FROM column_type(mapped_table(p_mapping), p_mapping ->> 'key') AS c
$$;

-- All of p_keys likewise, in their places.
CREATE FUNCTION keys_expression(p_mapping jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT CASE WHEN c.kind IN ('integer', 'numeric', 'uuid')
              THEN format('ARRAY(SELECT %s FROM unnest(p_keys) AS k)', key_expression(p_mapping, 'k'))
              ELSE format('p_keys::%s[]', c.type) END
  FROM column_type(mapped_table(p_mapping), p_mapping ->> 'key') AS c
$$;

-- Expressions over a row of the order table, called p_row in the made text.
CREATE FUNCTION currency_expression(p_mapping jsonb, p_row text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT CASE WHEN p_mapping ->> 'currency' IS NULL THEN format('%L::text', p_mapping ->> 'currency_fixed')
              ELSE format('upper(btrim(%s.%I::text) COLLATE "C")', p_row, p_mapping ->> 'currency') END
$$;

CREATE FUNCTION amount_expression(p_mapping jsonb, p_row text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT CASE WHEN p_mapping ->> 'amount_unit' = 'decimal'
              THEN format('makegood.minor_of(%s.%I::numeric, %s)', p_row, p_mapping ->> 'amount',
                          currency_expression(p_mapping, p_row))
              WHEN c.kind = 'integer' THEN format('%s.%I::bigint', p_row, p_mapping ->> 'amount')
              ELSE format('makegood.whole_of(%s.%I)', p_row, p_mapping ->> 'amount') END
  FROM column_type(mapped_table(p_mapping), p_mapping ->> 'amount') AS c
$$;

CREATE FUNCTION whole_of(p_amount numeric) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN p_amount BETWEEN -900000000000000000 AND 900000000000000000 AND p_amount = trunc(p_amount)
              THEN p_amount::bigint END
$$;

-- An optional column as type p_type, or null.
CREATE FUNCTION column_expression(p_mapping jsonb, p_row text, p_key text, p_type text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT CASE WHEN p_mapping ->> p_key IS NULL THEN format('NULL::%s', p_type)
              ELSE format('%s.%I::%s', p_row, p_mapping ->> p_key, p_type) END
$$;

RESET ROLE;
