-- What served when a version was promoted. What a rollback left is no version to go back to.
SELECT from_version
FROM ml.deployments
WHERE
    use_case = %(use_case)s
    AND to_version = %(version)s
    AND share = 1
    AND from_version IS DISTINCT FROM to_version
ORDER BY action = 'promote' DESC, deployment_id DESC
LIMIT 1
