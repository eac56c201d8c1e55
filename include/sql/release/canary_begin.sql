WITH begun AS (
    INSERT INTO ml.canaries (use_case, version, champion_version, decision_id, policy, yardstick, step)
    VALUES (
        %(use_case)s,
        %(version)s,
        %(champion_version)s,
        %(decision_id)s,
        %(policy)s,
        %(yardstick)s,
        %(step)s
    )
    RETURNING canary_id
),

entered AS (
    INSERT INTO ml.deployments (
        use_case, from_version, to_version, decision_id, actor, reason, action, share, deployed_at
    )
    VALUES (
        %(use_case)s,
        %(champion_version)s,
        %(version)s,
        %(decision_id)s,
        %(actor)s,
        %(reason)s,
        'canary',
        %(share)s,
        clock_timestamp()
    )
)

SELECT begun.canary_id FROM begun
