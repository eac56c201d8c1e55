-- What turned out to be true of a window's predictions: of several labels for one the newest.
WITH known AS (
    SELECT
        label_id,
        prediction_id,
        {truth} AS {value}
    FROM serving.labels
    WHERE
        use_case = %(use_case)s
        AND model_version = %(version)s
        AND role <> 'shadow'
        AND predicted_at >= %(window_start)s
        AND predicted_at < %(window_end)s
)

SELECT DISTINCT ON (prediction_id) {value}
FROM known
ORDER BY prediction_id ASC, label_id DESC
