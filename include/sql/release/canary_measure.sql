-- Slow is told once it can be, and left alone from then on.
UPDATE ml.canaries SET yardstick = %(yardstick)s
WHERE canary_id = %(canary_id)s AND yardstick ->> 'slow_ms' IS NULL
