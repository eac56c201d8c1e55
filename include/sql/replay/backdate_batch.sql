UPDATE ingest.batches
SET
    landed_at = %(moment)s,
    judged_at = %(moment)s,
    current_since = CASE WHEN status = 'accepted' THEN %(moment)s::timestamptz END
WHERE batch_id = %(batch_id)s
