DELETE FROM monitoring.columns
WHERE report_id = %(report_id)s
