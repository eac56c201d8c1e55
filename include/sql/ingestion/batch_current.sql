-- Make an accepted batch the newest again, where another has taken its place.
UPDATE ingest.batches AS batch
SET current_since = now()
WHERE
    batch.batch_id = %(batch_id)s
    AND batch.status = 'accepted'
    AND EXISTS (
        SELECT FROM ingest.batches AS other
        WHERE
            other.use_case = batch.use_case
            AND other.status = 'accepted'
            AND (other.current_since, other.batch_id) > (batch.current_since, batch.batch_id)
    )
