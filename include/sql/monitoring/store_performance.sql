INSERT INTO monitoring.performance (report_id, version, slice, metric, basis, value, low, high, rows)
VALUES (
    %(report_id)s, %(version)s, %(slice)s, %(metric)s, %(basis)s, %(value)s, %(low)s, %(high)s, %(rows)s
)
