UPDATE monitoring.incidents
SET claimed_at = %(now)s
WHERE
    closed_at IS NOT NULL
    AND mailed_at IS NOT NULL
    AND closing_mailed_at IS NULL
    AND (claimed_at IS NULL OR claimed_at <= %(now)s - %(patience)s)
RETURNING alert;
