SELECT
    result,
    success,
    created_at
FROM ingest.validations
WHERE batch_id = %(batch_id)s
ORDER BY validation_id DESC
LIMIT 1
