-- How many predictions were made on each day of a stretch, by all releases together; a day without any has no row.
SELECT
    (predicted_at AT TIME ZONE 'UTC')::date AS day,
    sum(size)::bigint AS made
FROM serving.answers
WHERE
    use_case = %(use_case)s
    AND role <> 'shadow'
    AND predicted_at >= %(window_start)s
    AND predicted_at < %(window_end)s
GROUP BY day
