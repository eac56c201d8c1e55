-- How many predictions one release answered in a window of time, then how their inputs and answers lie.
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
),

answered AS MATERIALIZED (
    SELECT
        size,
        {given}
    FROM parsed
)

SELECT
    NULL::integer AS place,
    NULL::integer AS bin,
    NULL::text AS label,
    coalesce(sum(answered.size), 0)::bigint AS cells,
    NULL::double precision AS total,
    NULL::double precision AS squares,
    NULL::double precision AS low,
    NULL::double precision AS high
FROM answered
UNION ALL
SELECT
    counted.place,
    counted.bin,
    counted.label,
    counted.cells,
    counted.total,
    counted.squares,
    counted.low,
    counted.high
FROM ({columns}) AS counted
