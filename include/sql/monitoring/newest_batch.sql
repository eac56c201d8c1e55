-- The batch that joined the validated data last.
SELECT
    batch_id,
    rows - quarantined AS good
FROM ingest.batches
WHERE
    use_case = %(use_case)s
    AND status = 'accepted'
    AND current_since IS NOT NULL
ORDER BY current_since DESC, batch_id DESC
LIMIT 1
