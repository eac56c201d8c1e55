UPDATE monitoring.responses
SET training_run_id = %(training_run_id)s
WHERE
    use_case = %(use_case)s
    AND dag_run_id = %(dag_run_id)s
    AND (response = 'retrain' OR (response = 'approval' AND answer = 'yes'))
