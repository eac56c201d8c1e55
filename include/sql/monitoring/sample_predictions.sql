-- The inputs and answers of one release in a window of time, at most as many as asked for;
-- the same window gives the same sample.
SELECT
    given.*,
    made.prediction
FROM serving.predictions AS made
CROSS JOIN LATERAL jsonb_to_record(made.features) AS given ({inputs})
WHERE
    made.use_case = %(use_case)s
    AND made.model_version = %(version)s
    AND made.predicted_at >= %(start)s
    AND made.predicted_at < %(end)s
ORDER BY hashtextextended(made.prediction_id::text, 0)
LIMIT %(limit)s
