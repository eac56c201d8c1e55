UPDATE ingest.batches
SET rows = %(rows)s, quarantined = %(quarantined)s
WHERE batch_id = %(batch_id)s
