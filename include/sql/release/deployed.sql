-- What the ledger says serves.
SELECT to_version
FROM ml.deployments
WHERE use_case = %(use_case)s AND share = 1
ORDER BY deployment_id DESC
LIMIT 1
