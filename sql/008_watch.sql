-- Around the order table: what the optional trigger means, adopt() for orders that are older than makegood, verify()
-- before a daemon runs, rehearse() to try a settlement and take it back.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

-- The trigger saw an order. Entering an unpaid status with a channel: a payment attempt begins. Paid by the shop: the
-- attempt is resolved. Closed by the shop: its attempts come to their end, they are asked once more.
CREATE FUNCTION order_seen(p_order_no text, p_status text, p_status_before text, p_channel text, p_number text,
                           p_amount_minor bigint, p_currency text, p_expires_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  shop mapping;
BEGIN
  SELECT m.* INTO STRICT shop FROM mapping AS m;
  IF p_status = ANY (shop.unpaid) THEN
    IF p_channel IS NOT NULL THEN
      PERFORM track(p_order_no, p_channel, p_amount_minor, p_currency, p_number, p_expires_at => p_expires_at);
    END IF;
  ELSIF p_status = ANY (shop.paid_here) AND NOT coalesce(p_status_before = ANY (shop.paid_here), false) THEN
    IF p_channel IS NOT NULL THEN
      PERFORM resolve(p_order_no, p_channel, p_number);
    END IF;
  ELSIF p_status = ANY (shop.closed_here) THEN
    UPDATE lost_order AS l
    SET expires_at = least(l.expires_at, now()),
        due_at     = CASE WHEN l.token IS NULL THEN least(l.due_at, now()) ELSE l.due_at END
    WHERE l.order_no = p_order_no AND l.phase <> 'tail';
  END IF;
END
$$;

-- What could not be done about an order is left for a person. Never fails: this runs in the shop's own statement.
CREATE FUNCTION order_unseen(p_order_no text, p_why text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, makegood, pg_temp
AS $$
BEGIN
  INSERT INTO parked_order (order_no, reason, detail) VALUES (left(p_order_no, 200), 'untrackable', p_why);
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING 'makegood: order % is not tracked (%), and could not be parked: %', p_order_no, p_why, SQLERRM;
END
$$;

-- Tracks the unpaid orders of the given time that exist already; those without a channel begin nothing, unless one is
-- given for them. What can not be tracked is parked. Returns how many are tracked now and were not before.
CREATE FUNCTION adopt(p_since interval, p_channel text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  adopted bigint;
BEGIN
  IF p_since IS NULL OR (SELECT m.definition ->> 'created_at' FROM mapping AS m) IS NULL THEN
    RAISE EXCEPTION 'makegood.adopt: it needs a time span and order_table.created_at; map the column, run makegood '
                    'migrate, and say how far to look back' USING ERRCODE = 'invalid_parameter_value';
  END IF;

  WITH found AS MATERIALIZED (
    SELECT o.order_no, coalesce(o.channel, p_channel) AS channel, o.number, o.amount_minor, o.currency,
           coalesce(finite_or_null(o.created_at), now()) AS created_at, finite_or_null(o.expires_at) AS expires_at,
           track_fault(o.order_no, coalesce(o.channel, p_channel), o.number, '', NULL, NULL, o.amount_minor,
                       o.currency) AS fault
    FROM order_unpaid_since(now() - p_since) AS o
    WHERE coalesce(o.channel, p_channel) IS NOT NULL
  ), unknown AS MATERIALIZED (
    SELECT f.* FROM found AS f
    WHERE NOT EXISTS (SELECT FROM parked_order AS p
                      WHERE p.order_no = f.order_no AND coalesce(p.channel, f.channel) = f.channel)
  ), untrackable AS (
    INSERT INTO parked_order (order_no, channel, reason, detail)
    SELECT left(u.order_no, 200), left(u.channel, 80), 'untrackable', u.fault FROM unknown AS u
    WHERE u.fault IS NOT NULL
  ), tracked AS (
    INSERT INTO lost_order (order_no, channel, number, amount_minor, currency, created_at, expires_at, due_at)
    SELECT u.order_no, u.channel, u.number, u.amount_minor, u.currency, u.created_at, u.expires_at,
           clock_timestamp() + first_delay(u.channel)
    FROM unknown AS u WHERE u.fault IS NULL
    ON CONFLICT (order_no, channel, attempt) DO NOTHING
    RETURNING 1
  )
  SELECT count(*) INTO adopted FROM tracked;
  RETURN adopted;
END
$$;

-- The sentences a daemon role must be able to say.
CREATE FUNCTION daemon_functions() RETURNS TABLE (name text, id oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT p.proname::text, p.oid FROM pg_proc AS p
  WHERE p.pronamespace = 'makegood'::regnamespace
    AND p.proname IN ('claim', 'settle', 'release', 'announce', 'verify', 'backlog', 'prepare_months', 'adopt',
                      'rehearse')
$$;

-- Whether a daemon of schema version p_version with this mapping is fit to run here as the role that asks. No row: yes.
CREATE FUNCTION verify(p_version integer, p_mapping jsonb) RETURNS TABLE (fault text, mend text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  installed integer := (SELECT max(v.version) FROM schema_version AS v);
  shop      mapping;
BEGIN
  IF installed IS DISTINCT FROM p_version THEN
    RETURN QUERY SELECT format('the schema makegood has version %s, this program needs %s',
                               coalesce(installed, 0), p_version),
                        CASE WHEN installed > p_version THEN 'install the newer program of that version'
                             ELSE 'run makegood migrate' END;
  END IF;
  RETURN QUERY
  SELECT format('the role %I may not execute makegood.%s', session_user, f.name),
         format('GRANT makegood_daemon TO %I', session_user)
  FROM daemon_functions() AS f WHERE NOT has_function_privilege(session_user, f.id, 'EXECUTE');

  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RETURN QUERY SELECT format('transactions of the role %I are %s', session_user,
                               current_setting('transaction_isolation')),
                        format('ALTER ROLE %I SET default_transaction_isolation = %L', session_user, 'read committed');
  END IF;

  SELECT m.* INTO shop FROM mapping AS m;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'order_table: no mapping is installed'::text, 'run makegood migrate'::text;
  ELSIF shop.definition IS DISTINCT FROM p_mapping THEN
    RETURN QUERY SELECT format('order_table: the installed mapping differs from the configuration in %s',
                               mapping_differences(shop.definition, p_mapping)),
                        'run makegood migrate, or take the change back'::text;
  END IF;
  RETURN QUERY SELECT f.fault, f.mend FROM mapping_faults(p_mapping) AS f;
  IF shop.definition IS NOT NULL THEN
    RETURN QUERY SELECT f.fault, 'run makegood migrate'::text FROM installation_faults(shop) AS f (fault);
  END IF;
END
$$;

CREATE FUNCTION mapping_differences(p_one jsonb, p_other jsonb) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(coalesce(a.key, b.key), ', ' ORDER BY coalesce(a.key, b.key))
  FROM jsonb_each(p_one) AS a FULL JOIN jsonb_each(p_other) AS b ON b.key = a.key
  WHERE a.value IS DISTINCT FROM b.value
$$;

-- What was made by install_mapping() and is not as it was left.
CREATE FUNCTION installation_faults(p_shop mapping) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT format('order_table: makegood.%s is gone or not the property of the owner of %s', f.name, p_shop.order_table)
  FROM (VALUES ('order_lock'), ('order_present'), ('order_pay'), ('order_write'), ('order_unpaid_since')) AS f (name)
  WHERE NOT EXISTS (
    SELECT FROM pg_proc AS p JOIN pg_class AS c ON c.relowner = p.proowner
    WHERE p.pronamespace = 'makegood'::regnamespace AND p.proname = f.name AND c.oid = p_shop.order_table
      AND has_function_privilege(current_user, p.oid, 'EXECUTE'))
  UNION ALL
  SELECT format('order_table.trigger: %s lacks an enabled trigger %s', p_shop.order_table, t.name)
  FROM (VALUES ('makegood_watch_insert'), ('makegood_watch_update')) AS t (name)
  WHERE p_shop.definition ->> 'trigger' = 'true'
    AND NOT EXISTS (SELECT FROM pg_trigger AS g
                    WHERE g.tgrelid = p_shop.order_table AND g.tgname = t.name AND g.tgenabled IN ('O', 'A'))
$$;

-- Does to one order what settling it as paid would do, and takes it back. An empty fault: that step went well.
CREATE FUNCTION rehearse(p_order_no text) RETURNS TABLE (step text, fault text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, makegood, pg_temp
AS $$
DECLARE
  shop    mapping;
  seen    order_state;
  locking text := '';
  ruling  text := '';
  writing text := '';
BEGIN
  SELECT m.* INTO shop FROM mapping AS m;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'lock'::text, 'no order table is mapped; run makegood migrate'::text;
    RETURN;
  END IF;
  BEGIN
    SELECT o.* INTO seen FROM order_lock(ARRAY[p_order_no]) AS o;
    IF seen.order_no IS NULL THEN
      locking := CASE WHEN order_present(p_order_no)
                      THEN format('somebody holds order %s right now; try again', p_order_no)
                      ELSE format('%s has no order %s; name one that exists', shop.order_table, p_order_no) END;
      RAISE SQLSTATE 'MG000';
    END IF;
    ruling := rehearse_ruling(seen, shop);
    IF ruling <> '' THEN
      RAISE SQLSTATE 'MG000';
    END IF;
    IF NOT EXISTS (SELECT FROM order_write('paid', ARRAY[p_order_no], ARRAY['rehearsal'], ARRAY['rehearsal'],
                                            ARRAY[seen.spot])) THEN
      writing := format('%s did not let the update through; look at its triggers and rules', shop.order_table);
    END IF;
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE SQLSTATE 'MG000'; -- takes everything back
  EXCEPTION
    WHEN SQLSTATE 'MG000' THEN NULL;
    WHEN OTHERS THEN writing := format('%s (SQLSTATE %s); mend the order table or the mapping', SQLERRM, SQLSTATE);
  END;

  RETURN QUERY SELECT 'lock'::text, locking;
  IF locking = '' THEN
    RETURN QUERY SELECT 'classify'::text, ruling;
    IF ruling = '' THEN
      RETURN QUERY SELECT 'write'::text, writing;
    END IF;
  END IF;
END
$$;

-- Why this order could not become paid, or ''.
CREATE FUNCTION rehearse_ruling(p_order order_state, p_shop mapping) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, makegood, pg_temp
AS $$
  SELECT CASE
    WHEN track_fault(p_order.order_no, 'rehearsal', NULL, '', NULL, NULL, p_order.amount_minor, p_order.currency)
         IS NOT NULL THEN
      track_fault(p_order.order_no, 'rehearsal', NULL, '', NULL, NULL, p_order.amount_minor, p_order.currency)
    WHEN p_order.status = ANY (p_shop.paid_from) THEN ''
    WHEN p_order.status = ANY (p_shop.paid_here) THEN
      format('its status %s means paid already; name an unpaid order', p_order.status)
    ELSE format('its status %s may not be left for paid; name an unpaid order, or add it to order_table.paid.from',
                coalesce(p_order.status, 'null')) END
$$;

RESET ROLE;
