-- One snapshot from the ledger.
SELECT
    snapshot_id,
    use_case,
    uri,
    sha256,
    rows,
    available_rows,
    train_rows,
    calibration_rows,
    test_rows,
    batch_ids
FROM ml.snapshots
WHERE snapshot_id = %(snapshot_id)s
