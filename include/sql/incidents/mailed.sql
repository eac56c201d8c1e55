-- The moment of the sight that the mail tells of, so that reminders count from there.
UPDATE monitoring.incidents
SET mailed_at = claimed_at
WHERE incident_id = (
    SELECT max(incident_id) FROM monitoring.incidents
    WHERE cause = %(cause)s
);
