-- When anybody was answered last up to a moment; before that, since when anybody could have been.
SELECT
    (
        SELECT max(predicted_at)
        FROM serving.answers
        WHERE
            use_case = %(use_case)s
            AND role <> 'shadow'
            AND predicted_at <= %(until)s
    ) AS predicted_at,
    (
        SELECT min(deployed_at)
        FROM ml.deployments
        WHERE use_case = %(use_case)s AND deployed_at <= %(until)s
    ) AS deployed_at
