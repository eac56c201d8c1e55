-- The processes that serve a use case, or did within a day.
SELECT
    host,
    pid,
    version,
    source,
    reason,
    challenger_version,
    challenger_share,
    challenger_reason,
    started_at,
    seen_at
FROM serving.replicas
WHERE use_case = %(use_case)s AND seen_at >= %(since)s
ORDER BY seen_at DESC, host ASC, pid ASC
LIMIT 50
