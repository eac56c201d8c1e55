-- When the first version of a use case was let serve; null where none was.
SELECT min(deployed_at) AS began
FROM ml.deployments
WHERE use_case = %(use_case)s AND share = 1
