SELECT
    batch_id,
    use_case,
    source_uri,
    sha256,
    rows,
    quarantined,
    status,
    reason
FROM ingest.batches
WHERE use_case = %(use_case)s AND sha256 = %(sha256)s
