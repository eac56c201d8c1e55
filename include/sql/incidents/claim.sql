-- The mail is this sight's to send when there was none lately, and nobody is about to send one.
UPDATE monitoring.incidents
SET claimed_at = %(now)s
WHERE
    cause = %(cause)s
    AND closed_at IS NULL
    AND (claimed_at IS NULL OR claimed_at <= %(now)s - %(patience)s)
    AND (mailed_at IS NULL OR mailed_at <= %(now)s - %(reminder)s)
RETURNING cause;
