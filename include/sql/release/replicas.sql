SELECT
    host,
    pid,
    version,
    source,
    reason
FROM serving.replicas
WHERE use_case = %(use_case)s AND seen_at > now() - %(fresh)s
ORDER BY host, pid
