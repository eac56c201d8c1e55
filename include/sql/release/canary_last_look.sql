SELECT seen::text AS seen
FROM ml.canary_looks
WHERE canary_id = %(canary_id)s
ORDER BY looked_at DESC
LIMIT 1
