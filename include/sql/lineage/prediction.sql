-- Every source file behind one prediction, one row each.
SELECT
    prediction.prediction_id,
    prediction.predicted_at,
    prediction.use_case,
    prediction.model_version,
    release.bento,
    release.run_id,
    snapshot.snapshot_id,
    batch.batch_id,
    batch.source_uri,
    batch.sha256
FROM serving.predictions AS prediction
INNER JOIN ml.releases AS release
    ON
        prediction.use_case = release.use_case
        AND prediction.model_version = release.version
INNER JOIN ml.snapshots AS snapshot
    ON release.snapshot_id = snapshot.snapshot_id
INNER JOIN ingest.batches AS batch
    ON batch.batch_id = any(snapshot.batch_ids)
WHERE
    prediction.prediction_id = %(prediction_id)s
    -- What an index finds; the last 16 bits are the place in the answer.
    AND prediction.answer_id IN (
        %(prediction_id)s::uuid, (left(%(prediction_id)s::uuid::text, 32) || '0000')::uuid
    )
ORDER BY batch.batch_id
