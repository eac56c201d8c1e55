SELECT
    alert,
    times,
    opened_at,
    closed_at
FROM monitoring.incidents
WHERE cause = %(cause)s
ORDER BY incident_id DESC
LIMIT 1;
