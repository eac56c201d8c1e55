-- Snapshots that no kept version was trained on: old ones, and never the newest.
SELECT aged.snapshot_id
FROM (
    SELECT
        snapshot.snapshot_id,
        snapshot.created_at,
        row_number() OVER (ORDER BY snapshot.created_at DESC) AS place
    FROM ml.snapshots AS snapshot
    WHERE snapshot.use_case = %(use_case)s
) AS aged
WHERE aged.place > 1 AND aged.created_at <= %(since)s AND NOT aged.snapshot_id = any(%(kept)s)
ORDER BY aged.created_at
