INSERT INTO ml.decisions (
    use_case,
    version,
    bundle_sha256,
    champion_version,
    code,
    message,
    actor,
    overrides,
    evidence,
    report_uri,
    dag_run_id
)
VALUES (
    %(use_case)s,
    %(version)s,
    %(bundle_sha256)s,
    %(champion_version)s,
    %(code)s,
    %(message)s,
    %(actor)s,
    %(overrides)s,
    %(evidence)s,
    %(report_uri)s,
    %(dag_run_id)s
)
RETURNING decision_id
