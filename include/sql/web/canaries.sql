-- The challengers of a use case, the newest first.
SELECT
    version,
    champion_version,
    state,
    reason,
    began_at,
    ended_at
FROM ml.canaries
WHERE use_case = %(use_case)s
ORDER BY canary_id DESC
LIMIT %(most)s
