-- What the last checks before a moment estimated without labels, the newest of each window, the latest window last.
WITH checked AS (
    SELECT
        report_id,
        version,
        window_start,
        window_end
    FROM monitoring.reports
    WHERE
        use_case = %(use_case)s
        AND kind = 'performance'
        AND window_end < %(window_end)s
        AND window_start IS NOT NULL
),

estimated AS (
    SELECT
        report_id,
        version,
        value,
        low,
        high
    FROM monitoring.performance
    WHERE
        slice = ''
        AND metric = %(metric)s
        AND basis = 'estimated'
        AND value IS NOT NULL
),

newest AS (
    SELECT DISTINCT ON (checked.window_end, checked.version)
        checked.version,
        checked.window_start,
        checked.window_end,
        estimated.value,
        estimated.low,
        estimated.high
    FROM checked
    INNER JOIN estimated
        ON
            checked.report_id = estimated.report_id
            AND checked.version = estimated.version
    ORDER BY checked.window_end DESC, checked.version DESC, checked.report_id DESC
    LIMIT %(most)s
)

SELECT
    version,
    window_start,
    window_end,
    value,
    low,
    high
FROM newest
ORDER BY window_end, version
