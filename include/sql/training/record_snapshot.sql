-- Enter a snapshot into the ledger; what is there already stays as it is.
INSERT INTO ml.snapshots (
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
)
VALUES (
    %(snapshot_id)s,
    %(use_case)s,
    %(uri)s,
    %(sha256)s,
    %(rows)s,
    %(available_rows)s,
    %(train_rows)s,
    %(calibration_rows)s,
    %(test_rows)s,
    %(batch_ids)s
)
-- One whose file was removed since has it again.
ON CONFLICT (snapshot_id) DO UPDATE SET removed_at = NULL
