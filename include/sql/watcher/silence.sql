SELECT
    note,
    extract(EPOCH FROM now() - seen_at)::double precision AS seconds
FROM monitoring.heartbeats
WHERE component = %(component)s
