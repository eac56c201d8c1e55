-- What the drift check of one run found.
SELECT
    verdict,
    message,
    report_uri
FROM monitoring.reports
WHERE use_case = %(use_case)s AND kind = 'drift' AND dag_run_id = %(dag_run_id)s
