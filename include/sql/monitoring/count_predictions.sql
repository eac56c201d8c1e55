-- How many predictions one release answered in a window of time, the end excluded.
SELECT count(*) AS made
FROM serving.predictions
WHERE
    use_case = %(use_case)s
    AND model_version = %(version)s
    AND role <> 'shadow'
    AND predicted_at >= %(window_start)s
    AND predicted_at < %(window_end)s
