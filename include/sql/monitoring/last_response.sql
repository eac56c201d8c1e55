-- When another run last asked about a training, or started one; a question that nobody answered counts as none.
SELECT max(responded_for) AS responded_for
FROM monitoring.responses
WHERE
    use_case = %(use_case)s
    AND response IN ('approval', 'retrain')
    AND answer IS DISTINCT FROM 'lapsed'
    AND dag_run_id <> %(dag_run_id)s
    AND responded_for <= %(until)s
