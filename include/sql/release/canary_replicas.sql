-- What every process with a fresh heartbeat says of the challenger.
SELECT
    host,
    pid,
    challenger_version,
    challenger_share,
    challenger_reason
FROM serving.replicas
WHERE use_case = %(use_case)s AND seen_at > now() - %(fresh)s
ORDER BY host, pid
