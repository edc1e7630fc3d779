-- Who may do what. Everything is makegood_owner's and nobody else's, but for what stands here. The functions that
-- touch the order table belong to that table's owner and serve makegood_owner alone (hand_over_mapping).

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

REVOKE ALL ON SCHEMA makegood FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA makegood FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA makegood FROM PUBLIC;
GRANT USAGE ON SCHEMA makegood TO makegood_daemon, makegood_shop, makegood_operator, makegood_reader;

-- The daemon says these sentences and touches no table.
GRANT EXECUTE ON FUNCTION
  claim(text, text[], integer[], bigint),
  settle(text, bigint[], uuid[], bigint[], text[], text[], text[], text[], text[], text[], bigint[], text[],
         boolean[], integer[], integer[], integer[], text[], boolean[], bigint[], text[], text[], text[], text[],
         integer[], integer[], text[], text[], text[], boolean[], text[]),
  release(bigint[], uuid[]),
  announce(text[], bigint[]),
  verify(integer, jsonb),
  backlog(),
  prepare_months(),
  adopt(interval, text),
  rehearse(text)
TO makegood_daemon;

-- The shop begins and ends payment attempts.
GRANT EXECUTE ON FUNCTION
  track(text, text, bigint, text, text, text, text, jsonb, timestamptz, interval),
  resolve(text, text, text)
TO makegood_shop;

-- Operators and reports look; operators adopt.
GRANT SELECT ON lost_order, parked_order, query_log, channel, mapping, schema_version
TO makegood_operator, makegood_reader;
GRANT EXECUTE ON FUNCTION adopt(interval, text), backlog() TO makegood_operator;

-- Nobody changes the audit, not even by mistake.
REVOKE UPDATE, DELETE, TRUNCATE ON query_log, query_log_default FROM makegood_owner;

RESET ROLE;
