INSERT INTO ml.releases (use_case, version, bundle_sha256, runtime_sha256, run_id, snapshot_id, bento, uri)
VALUES (
    %(use_case)s,
    %(version)s,
    %(bundle_sha256)s,
    %(runtime_sha256)s,
    %(run_id)s,
    %(snapshot_id)s,
    %(bento)s,
    %(uri)s
)
ON CONFLICT (use_case, version) DO NOTHING
