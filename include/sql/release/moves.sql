-- The last moves of a use case, newest first.
SELECT
    deployed_at,
    action,
    from_version,
    to_version,
    share,
    actor,
    reason
FROM ml.deployments
WHERE use_case = %(use_case)s
ORDER BY deployment_id DESC
LIMIT %(most)s
