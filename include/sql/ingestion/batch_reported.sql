UPDATE ingest.batches
SET report_uri = %(report_uri)s
WHERE batch_id = %(batch_id)s
