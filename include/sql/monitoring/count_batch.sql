-- How many good rows an accepted batch has; none where it is not accepted.
SELECT coalesce(sum(rows - quarantined), 0)::bigint AS good
FROM ingest.batches
WHERE
    use_case = %(use_case)s
    AND batch_id = %(batch_id)s
    AND status = 'accepted'
