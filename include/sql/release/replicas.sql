SELECT
    host,
    pid,
    version,
    bundle_sha256,
    source,
    reason
FROM serving.replicas
WHERE use_case = %(use_case)s AND seen_at > now() - %(fresh)s
ORDER BY host, pid
