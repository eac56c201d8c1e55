-- What the gate decided in one run.
SELECT
    decision_id,
    version,
    champion_version,
    code,
    message,
    evidence
FROM ml.decisions
WHERE use_case = %(use_case)s AND dag_run_id = %(dag_run_id)s
ORDER BY decision_id DESC
LIMIT 1
