-- The inputs and answers of one release in a window of time, at most as many as asked for;
-- the same window gives the same sample. Only answers that it touches have their JSON read.
WITH taken AS (
    SELECT
        predicted_at,
        answer_id,
        size
    FROM serving.answers
    WHERE
        use_case = %(use_case)s
        AND model_version = %(version)s
        AND role <> 'shadow'
        AND predicted_at >= %(window_start)s
        AND predicted_at < %(window_end)s
),

drawn AS (
    SELECT
        taken.predicted_at,
        taken.answer_id,
        place
    FROM taken
    CROSS JOIN LATERAL generate_series(1, taken.size) AS place
    ORDER BY uuid_hash_extended(taken.answer_id, place), taken.answer_id, place
    LIMIT %(most)s
),

touched AS (
    SELECT DISTINCT
        predicted_at,
        answer_id
    FROM drawn
),

sampled AS (
    SELECT
        answer.names,
        instance.features,
        instance.prediction,
        instance.label
    FROM touched
    INNER JOIN serving.answers AS answer
        ON
            touched.predicted_at = answer.predicted_at
            AND touched.answer_id = answer.answer_id
    CROSS JOIN LATERAL serving.instances(answer) AS instance
    INNER JOIN drawn
        ON
            answer.predicted_at = drawn.predicted_at
            AND answer.answer_id = drawn.answer_id
            AND instance.place = drawn.place
    ORDER BY drawn.answer_id, drawn.place
)

SELECT {columns}
FROM sampled
