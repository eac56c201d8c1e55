SELECT DISTINCT use_case
FROM ml.deployments
ORDER BY use_case
