-- How many of a batch's rows are in quarantine for each reason; a row may have several.
SELECT
    reason,
    count(*) AS quarantined
FROM {quarantine}
CROSS JOIN LATERAL unnest(reasons) AS reason
WHERE _batch_id = %(batch_id)s
GROUP BY reason
ORDER BY quarantined DESC, reason ASC
