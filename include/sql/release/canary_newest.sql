-- The last canary of a use case; it runs, or has ended.
SELECT
    canary_id,
    use_case,
    version,
    champion_version,
    decision_id,
    policy::text AS policy,
    yardstick::text AS yardstick,
    step,
    state,
    reason,
    began_at,
    step_at
FROM ml.canaries
WHERE use_case = %(use_case)s
ORDER BY state = 'running' DESC, canary_id DESC
LIMIT 1
