-- The batches that were judged and had landed by a moment, the newest first.
SELECT
    batch_id,
    rows,
    quarantined,
    status,
    current_since
FROM ingest.batches
WHERE
    use_case = %(use_case)s
    AND status <> 'landed'
    AND landed_at <= %(until)s
ORDER BY landed_at DESC, batch_id DESC
LIMIT %(most)s
