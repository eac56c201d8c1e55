UPDATE ingest.batches
SET
    status = %(status)s,
    reason = %(reason)s,
    quarantined = %(quarantined)s,
    judged_at = now(),
    current_since = CASE WHEN %(status)s = 'accepted' THEN now() END
WHERE batch_id = %(batch_id)s
