-- What one release answered in a window of time whose truth is known, the newest label of each, at most as many as
-- asked for; the same window gives the same sample.
SELECT
    truth.answer_id,
    truth.predicted_at,
    truth.place,
    truth.prediction,
    truth.probabilities,
    truth.true_number,
    truth.true_label,
    count(*) OVER () AS total
FROM serving.labels AS truth
WHERE
    truth.use_case = %(use_case)s
    AND truth.model_version = %(version)s
    AND truth.role <> 'shadow'
    AND truth.predicted_at >= %(window_start)s
    AND truth.predicted_at < %(window_end)s
    AND NOT EXISTS (
        SELECT FROM serving.labels AS later
        WHERE
            truth.prediction_id = later.prediction_id
            AND truth.label_id < later.label_id
    )
ORDER BY hashtextextended(truth.prediction_id::text, 0)
LIMIT %(most)s
