-- The same of one batch's rows in quarantine.
SELECT
    count(*) AS rows,
    ARRAY[{missing}]::bigint[] AS missing,
    ARRAY[{unseen}]::bigint[] AS unseen,
    ARRAY[{outside}]::bigint[] AS outside
FROM {quarantine}
WHERE _batch_id = %(batch_id)s
