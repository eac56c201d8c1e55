-- One snapshot and the number of its rows.
SELECT
    snapshot_id,
    rows,
    train_rows,
    calibration_rows,
    test_rows
FROM ml.snapshots
WHERE snapshot_id = %(snapshot_id)s
