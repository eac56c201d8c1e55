UPDATE monitoring.incidents
SET closing_mailed_at = now()
WHERE cause = %(cause)s AND closed_at IS NOT NULL AND closing_mailed_at IS NULL;
