-- Put swept rows back, to be judged by rules that may have changed; rows that were never read stay out.
WITH back AS (
    DELETE FROM {quarantine} AS kept
    WHERE
        kept._batch_id = %(batch_id)s
        AND NOT EXISTS (
            SELECT FROM unnest(kept.reasons) AS reason
            WHERE reason = 'malformed' OR reason LIKE 'unreadable:%%'
        )
    RETURNING kept.row || jsonb_build_object('_batch_id', kept._batch_id, '_row', kept._row) AS landed
)

INSERT INTO {partition}
SELECT typed.* -- noqa: AM04
FROM back
CROSS JOIN LATERAL jsonb_populate_record(NULL::{partition}, back.landed) AS typed
