-- Enter a release into the ledger, or find it there, and say which bundle it is; an image may be built later.
WITH made AS (
    INSERT INTO ml.releases AS known (
        use_case, version, bundle_sha256, runtime_sha256, run_id, snapshot_id, bento, uri, image
    )
    VALUES (
        %(use_case)s,
        %(version)s,
        %(bundle_sha256)s,
        %(runtime_sha256)s,
        %(run_id)s,
        %(snapshot_id)s,
        %(bento)s,
        %(uri)s,
        %(image)s
    )
    ON CONFLICT (use_case, version) DO UPDATE
        SET image = coalesce(excluded.image, known.image)
        WHERE known.bundle_sha256 = excluded.bundle_sha256
    RETURNING known.bundle_sha256
)

SELECT made.bundle_sha256 FROM made
UNION ALL
SELECT earlier.bundle_sha256
FROM ml.releases AS earlier
WHERE earlier.use_case = %(use_case)s AND earlier.version = %(version)s
LIMIT 1
