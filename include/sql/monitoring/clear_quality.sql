DELETE FROM monitoring.quality
WHERE report_id = %(report_id)s
