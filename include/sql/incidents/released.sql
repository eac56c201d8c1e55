UPDATE monitoring.incidents
SET claimed_at = NULL
WHERE incident_id = (
    SELECT max(incident_id) FROM monitoring.incidents
    WHERE cause = %(cause)s
);
