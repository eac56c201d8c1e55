-- The last sign of life of what watches the others.
SELECT
    component,
    seen_at,
    note
FROM monitoring.heartbeats
WHERE component = %(component)s
