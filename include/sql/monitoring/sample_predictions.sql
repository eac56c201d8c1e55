-- The inputs and answers of one release in a window of time, at most as many as asked for;
-- the same window gives the same sample.
WITH sampled AS (
    SELECT
        features,
        {answer} AS prediction
    FROM serving.predictions
    WHERE
        use_case = %(use_case)s
        AND model_version = %(version)s
        AND role <> 'shadow'
        AND predicted_at >= %(window_start)s
        AND predicted_at < %(window_end)s
    ORDER BY hashtextextended(prediction_id::text, 0)
    LIMIT %(most)s
)

SELECT {columns}
FROM sampled
