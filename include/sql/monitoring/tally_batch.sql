-- Of one batch's good rows, column by column: how many lack a value, hold one that is new, or lie out of range.
WITH given AS (
    SELECT {columns}
    FROM {landing} AS landed
    WHERE landed._batch_id = %(batch_id)s
)

SELECT
    count(*) AS rows,
    ARRAY[{missing}]::bigint[] AS missing,
    ARRAY[{unseen}]::bigint[] AS unseen,
    ARRAY[{outside}]::bigint[] AS outside
FROM given
