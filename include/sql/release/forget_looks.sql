-- What was seen of canaries that are long over; how each ended stays.
DELETE FROM ml.canary_looks AS look
USING ml.canaries AS canary
WHERE canary.canary_id = look.canary_id AND canary.use_case = %(use_case)s AND canary.ended_at <= %(since)s
