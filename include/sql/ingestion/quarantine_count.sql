SELECT count(*) AS quarantined
FROM {quarantine}
WHERE _batch_id = %(batch_id)s
