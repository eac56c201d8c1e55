-- Take over mails that could not be sent, or whose sender was killed.
UPDATE monitoring.incidents
SET claimed_at = %(now)s
WHERE
    closed_at IS NULL
    AND mailed_at IS NULL
    AND (claimed_at IS NULL OR claimed_at <= %(now)s - %(patience)s)
RETURNING alert;
