-- A decision moves the champion once, and never after its canary was withdrawn. By the clock, because a move that
-- waited for its turn began before the last one.
INSERT INTO ml.deployments (use_case, from_version, to_version, decision_id, actor, reason, action, deployed_at)
SELECT
    %(use_case)s::text,
    %(from_version)s::bigint,
    %(to_version)s::bigint,
    %(decision_id)s::bigint,
    %(actor)s,
    %(reason)s,
    %(action)s,
    clock_timestamp() AS deployed_at
WHERE
    NOT EXISTS (
        SELECT 1 FROM ml.canaries
        WHERE decision_id = %(decision_id)s AND state = 'withdrawn'
    )
ON CONFLICT (decision_id) WHERE action = 'promote' DO NOTHING
RETURNING deployment_id
