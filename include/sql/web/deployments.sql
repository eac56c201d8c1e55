-- What was let serve last, when, by whom and why.
SELECT
    deployment_id,
    from_version,
    to_version,
    action,
    share,
    actor,
    reason,
    deployed_at
FROM ml.deployments
WHERE use_case = %(use_case)s
ORDER BY deployment_id DESC
LIMIT %(most)s
