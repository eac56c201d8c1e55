-- What is wrong and told, of some kinds.
SELECT
    cause,
    alert,
    opened_at
FROM monitoring.incidents
WHERE closed_at IS NULL AND mailed_at IS NOT NULL AND kind = any(%(kinds)s)
ORDER BY incident_id
