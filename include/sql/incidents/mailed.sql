-- The moment of the sight that the mail tells of, so that reminders count from there. What has healed while its mail
-- was on the way healed without a word: its recovery is due now.
UPDATE monitoring.incidents
SET mailed_at = claimed_at
WHERE
    incident_id = (
        SELECT max(incident_id) FROM monitoring.incidents
        WHERE cause = %(cause)s
    )
RETURNING
    closed_at IS NOT NULL AND closing_mailed_at IS NULL AS is_over;
