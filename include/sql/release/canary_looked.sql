INSERT INTO ml.canary_looks (canary_id, looked_at, step, seen)
VALUES (%(canary_id)s, clock_timestamp(), %(step)s, %(seen)s)
