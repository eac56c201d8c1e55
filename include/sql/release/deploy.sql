-- Once per decision, however often it is tried.
WITH made AS (
    INSERT INTO ml.deployments (use_case, from_version, to_version, decision_id, actor, reason)
    VALUES (%(use_case)s, %(from_version)s, %(to_version)s, %(decision_id)s, %(actor)s, %(reason)s)
    ON CONFLICT (decision_id) DO NOTHING
    RETURNING deployment_id
)

SELECT made.deployment_id FROM made
UNION ALL
SELECT earlier.deployment_id
FROM ml.deployments AS earlier
WHERE earlier.decision_id = %(decision_id)s
LIMIT 1
