-- The versions that the champion last moved from or to, and those that were judged or decided about lately.
WITH recent AS (
    SELECT
        from_version,
        to_version
    FROM ml.deployments
    WHERE use_case = %(use_case)s AND share = 1
    ORDER BY deployment_id DESC
    LIMIT %(deployments)s
)

SELECT recent.from_version AS version FROM recent
WHERE recent.from_version IS NOT NULL
UNION
SELECT recent.to_version AS version FROM recent
UNION
SELECT decided.version
FROM ml.decisions AS decided
WHERE decided.use_case = %(use_case)s AND decided.decided_at > %(since)s
UNION
-- A promotion that is under way, of an old version too.
SELECT (judged.evidence -> 'subject' ->> 'version')::bigint AS version
FROM ml.evidence AS judged
WHERE judged.use_case = %(use_case)s AND judged.gathered_at > %(since)s
