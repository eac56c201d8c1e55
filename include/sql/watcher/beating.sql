-- Of each use case that was ever deployed: whether a process with a release gave a sign of life lately.
WITH fresh AS (
    SELECT
        use_case,
        version
    FROM serving.replicas
    WHERE seen_at > now() - %(fresh)s
)

SELECT
    deployed.use_case,
    coalesce(bool_or(fresh.version IS NOT NULL), FALSE) AS ready
FROM ml.deployments AS deployed
LEFT JOIN fresh ON deployed.use_case = fresh.use_case
GROUP BY deployed.use_case
ORDER BY deployed.use_case
