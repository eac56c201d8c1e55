SELECT canary_id
FROM ml.canaries
WHERE decision_id = %(decision_id)s
