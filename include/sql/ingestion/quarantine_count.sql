SELECT count(*) AS rows FROM {quarantine} WHERE _batch_id = %(batch_id)s
