-- Put swept rows back, to be judged by rules that may have changed; rows that were never read stay out.
WITH back AS (
    DELETE FROM {quarantine} AS kept
    WHERE
        kept._batch_id = %(batch_id)s
        AND NOT EXISTS (
            SELECT FROM unnest(kept.reasons) AS reason
            WHERE reason = 'malformed' OR reason LIKE 'unreadable:%%'
        )
    RETURNING *
)

INSERT INTO {partition} ({columns}, _batch_id, _row)
SELECT
    {typed_columns},
    back._batch_id,
    back._row
FROM back
CROSS JOIN LATERAL jsonb_populate_record(NULL::{partition}, back.row) AS typed
