-- What is wrong just now, of the asked for, the newest first.
SELECT
    use_case,
    kind,
    alert,
    times,
    opened_at,
    seen_at,
    mailed_at
FROM monitoring.incidents
WHERE closed_at IS NULL AND use_case = any(%(use_cases)s)
ORDER BY opened_at DESC, incident_id DESC
LIMIT 100
