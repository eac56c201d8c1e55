DELETE FROM monitoring.performance
WHERE report_id = %(report_id)s
