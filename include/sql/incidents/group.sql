-- Count a sight that only says that something failed with what is known of the same occasion.
UPDATE monitoring.incidents
SET
    times = times + 1,
    seen_at = greatest(seen_at, %(now)s)
WHERE
    occasion = %(occasion)s
    AND cause <> %(cause)s
    AND (closed_at IS NULL OR kind = any(%(passing)s))
RETURNING cause;
