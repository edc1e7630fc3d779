-- The rows that an older schema's audit has already, a link a month. Not where the column was added: that locks the audit
-- against every daemon, and this reads all of it.

SET LOCAL ROLE makegood_owner;
SET LOCAL search_path = makegood, pg_temp;

SELECT pg_advisory_xact_lock(hashtextextended('makegood seal', 0));
SELECT audit_append(m.month, NULL, NULL)
FROM (SELECT DISTINCT month_of(q.claimed_at) AS month FROM query_log AS q WHERE q.xact IS NULL ORDER BY 1) AS m;

RESET ROLE;
