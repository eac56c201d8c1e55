-- How many predictions one release answered in a window of time, the end excluded.
SELECT coalesce(sum(size), 0)::bigint AS made
FROM serving.answers
WHERE
    use_case = %(use_case)s
    AND model_version = %(version)s
    AND role <> 'shadow'
    AND predicted_at >= %(window_start)s
    AND predicted_at < %(window_end)s
