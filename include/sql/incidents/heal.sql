-- What nobody was told of heals without a word.
UPDATE monitoring.incidents
SET
    closed_at = now(),
    claimed_at = CASE WHEN mailed_at IS NULL THEN claimed_at ELSE now() END
WHERE
    closed_at IS NULL
    AND (cause = %(cause)s OR (%(is_prefix)s AND starts_with(cause, %(cause)s)))
    AND cause <> all(%(still)s)
RETURNING
    alert,
    mailed_at IS NOT NULL AND closing_mailed_at IS NULL AS told;
