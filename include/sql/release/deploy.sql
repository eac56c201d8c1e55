-- A decision moves the champion once. By the clock, because a move that waited for its turn began before the last one.
INSERT INTO ml.deployments (use_case, from_version, to_version, decision_id, actor, reason, action, deployed_at)
VALUES (
    %(use_case)s,
    %(from_version)s,
    %(to_version)s,
    %(decision_id)s,
    %(actor)s,
    %(reason)s,
    %(action)s,
    clock_timestamp()
)
ON CONFLICT (decision_id) WHERE action = 'promote' DO NOTHING
RETURNING deployment_id
