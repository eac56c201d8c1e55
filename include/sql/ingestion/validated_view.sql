-- Only the accepted batches that count, each row with its identity and the part it plays for ever.
CREATE VIEW {view} AS
SELECT
    {columns},
    landed._batch_id,
    landed._row,
    identified._identity,
    CASE
        WHEN placed.share < {test} THEN 'test'
        WHEN placed.share < {test} + {calibration} THEN 'calibration'
        ELSE 'train'
    END AS _part
FROM {landing} AS landed
CROSS JOIN LATERAL (
    SELECT md5(array_to_json(ARRAY[{identity}])::text) AS _identity
) AS identified
CROSS JOIN LATERAL (
    SELECT ('x' || left(identified._identity, 8))::bit(32)::bigint / 4294967296::double precision AS share
) AS placed
WHERE
    landed._batch_id = ANY(ARRAY(
        SELECT batch.batch_id
        FROM ingest.batches AS batch
        WHERE batch.use_case = {use_case} AND batch.status = 'accepted'
        ORDER BY batch.current_since DESC, batch.batch_id DESC
        LIMIT {newest}
    ))
