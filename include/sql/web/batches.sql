-- The last batches of a use case, with what the expectations said of each.
WITH newest AS (
    SELECT
        batch_id,
        source_uri,
        rows,
        quarantined,
        status,
        reason,
        landed_at,
        judged_at,
        current_since,
        report_uri
    FROM ingest.batches
    WHERE use_case = %(use_case)s
    ORDER BY batch_id DESC
    LIMIT %(most)s
)

SELECT
    newest.batch_id,
    newest.source_uri,
    newest.rows,
    newest.quarantined,
    newest.status,
    newest.reason,
    newest.landed_at,
    newest.judged_at,
    newest.current_since,
    newest.report_uri,
    validation.success AS validated
FROM newest
LEFT JOIN LATERAL (
    SELECT last_one.success
    FROM ingest.validations AS last_one
    WHERE last_one.batch_id = newest.batch_id
    ORDER BY last_one.validation_id DESC
    LIMIT 1
) AS validation ON TRUE
ORDER BY newest.batch_id DESC
