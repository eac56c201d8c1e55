-- Why rows of some batches are in quarantine; of very many in a batch, only the first are looked at.
WITH asked AS (
    SELECT given.batch_id
    FROM unnest(%(batch_ids)s::bigint[]) AS given (batch_id)
)

SELECT
    asked.batch_id,
    reason.code,
    count(*) AS quarantined
FROM asked
INNER JOIN LATERAL (
    SELECT bad.reasons
    FROM {quarantine} AS bad
    WHERE bad._batch_id = asked.batch_id
    ORDER BY bad._row
    LIMIT %(most)s
) AS held ON TRUE
CROSS JOIN unnest(held.reasons) AS reason (code)
GROUP BY asked.batch_id, reason.code
ORDER BY asked.batch_id DESC, quarantined DESC, reason.code ASC
