INSERT INTO monitoring.quality (report_id, check_name, column_name, value, limit_value, passed, detail)
VALUES (
    %(report_id)s, %(check_name)s, %(column_name)s, %(value)s, %(limit_value)s, %(passed)s, %(detail)s
)
