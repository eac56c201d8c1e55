-- What the asked for versions are made of.
WITH asked AS (
    SELECT
        version,
        bento,
        image,
        run_id,
        snapshot_id,
        created_at,
        removed_at
    FROM ml.releases
    WHERE use_case = %(use_case)s AND version = any(%(versions)s)
)

SELECT
    asked.version,
    asked.bento,
    asked.image,
    asked.run_id,
    asked.snapshot_id,
    asked.created_at,
    asked.removed_at,
    snapshot.rows AS snapshot_rows,
    snapshot.batch_ids
FROM asked
LEFT JOIN ml.snapshots AS snapshot ON asked.snapshot_id = snapshot.snapshot_id
