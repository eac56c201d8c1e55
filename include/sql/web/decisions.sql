-- What was decided last of a use case, with what it rests on and what a person spoke about.
WITH newest AS (
    SELECT
        decision_id,
        version,
        champion_version,
        code,
        message,
        actor,
        overrides,
        evidence,
        decided_at,
        dag_run_id,
        report_uri
    FROM ml.decisions
    WHERE use_case = %(use_case)s
    ORDER BY decision_id DESC
    LIMIT %(most)s
)

SELECT
    newest.decision_id,
    newest.version,
    newest.champion_version,
    newest.code,
    newest.message,
    newest.actor,
    newest.evidence,
    newest.decided_at,
    newest.dag_run_id,
    newest.report_uri,
    overruled.code AS overruled_code
FROM newest
LEFT JOIN ml.decisions AS overruled ON newest.overrides = overruled.decision_id
ORDER BY newest.decision_id DESC
