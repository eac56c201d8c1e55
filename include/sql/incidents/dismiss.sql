UPDATE monitoring.incidents
SET
    closed_at = now(),
    closing_mailed_at = now()
WHERE
    closed_at IS NULL
    AND (cause = %(cause)s OR (%(is_prefix)s AND starts_with(cause, %(cause)s)));
