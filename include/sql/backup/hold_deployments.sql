-- What serves does not change while this transaction lasts; in one order, or two that wait would wait for each other.
SELECT
    known.use_case,
    pg_advisory_xact_lock(hashtext('sluice.deploy.' || known.use_case)) AS held
FROM (
    SELECT DISTINCT use_case FROM ml.releases
    ORDER BY use_case
) AS known
