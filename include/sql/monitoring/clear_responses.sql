DELETE FROM monitoring.responses
WHERE use_case = %(use_case)s AND dag_run_id = %(dag_run_id)s
