INSERT INTO ingest.validations (batch_id, success, result)
VALUES (%(batch_id)s, %(success)s, %(result)s)
RETURNING validation_id
