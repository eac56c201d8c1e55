-- Who withdrew a canary.
SELECT actor
FROM ml.deployments
WHERE decision_id = %(decision_id)s AND action = 'withdraw'
ORDER BY deployment_id DESC
LIMIT 1
