-- Only the accepted batches that count, each row with its identity and the part it plays for ever.
CREATE VIEW {view} AS
WITH counted AS (
    SELECT batch_id
    FROM ingest.batches
    WHERE use_case = {use_case} AND status = 'accepted'
    ORDER BY current_since DESC, batch_id DESC
    LIMIT {newest}
),

identified AS (
    SELECT
        landed.*,
        md5(array_to_json(ARRAY[{identity}])::text) AS _identity
    FROM {landing} AS landed
    -- An array, so that a partition that does not count is passed over by its index.
    WHERE landed._batch_id = any((SELECT array_agg(counted.batch_id) FROM counted)::bigint[])
    -- Keeps the hash from being computed again for each use of it.
    OFFSET 0 -- noqa: AM09
)

SELECT
    {columns},
    _batch_id,
    _row,
    _identity,
    CASE
        WHEN ('x' || left(_identity, 8))::bit(32)::bigint < {test} * 4294967296 THEN 'test'
        WHEN ('x' || left(_identity, 8))::bit(32)::bigint < ({test} + {calibration}) * 4294967296 THEN 'calibration'
        ELSE 'train'
    END AS _part
FROM identified
