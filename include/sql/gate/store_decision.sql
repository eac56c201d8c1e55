INSERT INTO ml.decisions (use_case, version, bundle_sha256, champion_version, code, message, evidence, dag_run_id)
VALUES (
    %(use_case)s,
    %(version)s,
    %(bundle_sha256)s,
    %(champion_version)s,
    %(code)s,
    %(message)s,
    %(evidence)s,
    %(dag_run_id)s
)
ON CONFLICT (use_case, dag_run_id) DO UPDATE
    SET
        version = excluded.version,
        bundle_sha256 = excluded.bundle_sha256,
        champion_version = excluded.champion_version,
        code = excluded.code,
        message = excluded.message,
        evidence = excluded.evidence,
        decided_at = now()
RETURNING decision_id
