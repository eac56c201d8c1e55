UPDATE monitoring.responses
SET answer = %(answer)s, actor = %(actor)s, answer_reason = %(answer_reason)s
WHERE
    use_case = %(use_case)s
    AND dag_run_id = %(dag_run_id)s
    AND response = 'approval'
