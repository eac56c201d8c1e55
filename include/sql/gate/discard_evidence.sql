DELETE FROM ml.evidence
WHERE use_case = %(use_case)s AND dag_run_id = %(dag_run_id)s AND blessing = any(%(blessings)s)
