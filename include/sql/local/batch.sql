-- The batch in use, and whether it landed or came into use after a moment.
SELECT
    batch_id,
    source_uri,
    rows,
    quarantined,
    landed_at >= %(since)s AS is_new,
    current_since >= %(since)s AS is_newly_used
FROM ingest.batches
WHERE use_case = %(use_case)s AND current_since IS NOT NULL
ORDER BY current_since DESC
LIMIT 1
