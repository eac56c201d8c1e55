WITH ended AS (
    UPDATE ml.canaries SET state = 'withdrawn', reason = %(why)s, ended_at = clock_timestamp()
    WHERE use_case = %(use_case)s AND state = 'running'
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
    'withdraw' AS action,
    0 AS share,
    clock_timestamp() AS deployed_at
FROM ended
RETURNING deployment_id
