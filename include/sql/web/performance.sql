-- What the asked for checks measured: one metric over all rows in each, and everything in the newest.
SELECT
    report_id,
    version,
    slice,
    metric,
    basis,
    value,
    low,
    high,
    rows
FROM monitoring.performance
WHERE
    report_id = any(%(report_ids)s)
    AND ((metric = %(metric)s AND slice = '') OR report_id = %(newest)s)
ORDER BY report_id DESC, version DESC, slice ASC, metric ASC, basis ASC
LIMIT 2000
