-- What was decided in one run, the newest first: by the gate, and what people said to it.
SELECT
    decision_id,
    version,
    bundle_sha256,
    champion_version,
    code,
    message,
    actor,
    overrides,
    evidence,
    decided_at
FROM ml.decisions
WHERE use_case = %(use_case)s AND dag_run_id = %(dag_run_id)s
ORDER BY decision_id DESC
