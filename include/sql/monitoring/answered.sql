-- What one release answered in a window of time, at most as many predictions as asked for;
-- the same window gives the same sample.
SELECT
    prediction,
    probabilities
FROM (
    SELECT
        answer_id,
        generate_series(1, size) AS place,
        unnest(predictions) AS prediction,
        json_array_elements(probabilities) AS probabilities
    FROM serving.answers
    WHERE
        use_case = %(use_case)s
        AND model_version = %(version)s
        AND role <> 'shadow'
        AND predicted_at >= %(window_start)s
        AND predicted_at < %(window_end)s
) AS made
ORDER BY hashtextextended(answer_id::text, place)
LIMIT %(most)s
