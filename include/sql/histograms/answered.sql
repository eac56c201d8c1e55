-- What one release answered in a window of time: for each request its size, and each column as an array.
-- The JSON of an answer is read once, all of it: reading it for each instance and column takes several times as long.
WITH taken AS (
    SELECT
        size,
        names,
        features,
        predictions,
        labels
    FROM serving.answers
    WHERE
        use_case = %(use_case)s
        AND model_version = %(version)s
        AND role <> 'shadow'
        AND predicted_at >= %(window_start)s
        AND predicted_at < %(window_end)s
),

parsed AS (
    SELECT
        taken.size,
        taken.names,
        taken.predictions,
        taken.labels,
        read.cells
    FROM taken
    CROSS JOIN LATERAL json_to_record(json_build_object('cells', taken.features)) AS read (cells text[])
)

SELECT
    size,
    {given}
FROM parsed
