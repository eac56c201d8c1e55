-- A decision moves the champion once.
INSERT INTO ml.deployments (use_case, from_version, to_version, decision_id, actor, reason, action)
VALUES (%(use_case)s, %(from_version)s, %(to_version)s, %(decision_id)s, %(actor)s, %(reason)s, %(action)s)
ON CONFLICT (decision_id) WHERE action = 'promote' DO NOTHING
RETURNING deployment_id
