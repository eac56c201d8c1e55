-- One step further, once: a watcher that looked before another one advanced finds nothing to do.
WITH advanced AS (
    UPDATE ml.canaries SET step = step + 1, step_at = clock_timestamp()
    WHERE canary_id = %(canary_id)s AND state = 'running' AND step = %(step)s
    RETURNING use_case, champion_version, version, decision_id
)

INSERT INTO ml.deployments (
    use_case, from_version, to_version, decision_id, actor, reason, action, share, deployed_at
)
SELECT
    use_case,
    champion_version,
    version,
    decision_id,
    %(who)s AS actor,
    %(why)s AS reason,
    'canary' AS action,
    %(onward)s AS share,
    clock_timestamp() AS deployed_at
FROM advanced
RETURNING deployment_id
