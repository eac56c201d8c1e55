SELECT
    breach,
    response,
    reason,
    answer,
    actor,
    answer_reason
FROM monitoring.responses
WHERE use_case = %(use_case)s AND dag_run_id = %(dag_run_id)s
ORDER BY response_id
