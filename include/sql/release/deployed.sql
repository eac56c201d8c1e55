-- What the ledger says serves.
SELECT to_version
FROM ml.deployments
WHERE use_case = %(use_case)s
ORDER BY deployment_id DESC
LIMIT 1
