-- Some of the inputs of predictions that are named by their answers and places, in the order they are named.
-- Each answer is taken apart once: an upload's block holds thousands.
WITH wanted AS (
    SELECT
        unnest(%(answers)s::uuid[]) AS answer_id,
        unnest(%(moments)s::timestamptz[]) AS predicted_at,
        unnest(%(places)s::integer[]) AS place,
        generate_subscripts(%(places)s::integer[], 1) AS number
),

given AS (
    SELECT
        answer_id,
        predicted_at,
        names,
        generate_series(0, size - 1) AS place,
        json_array_elements(features) AS features
    FROM serving.answers
    WHERE
        predicted_at = any(%(moments)s::timestamptz[])
        AND answer_id = any(%(answers)s::uuid[])
),

found AS (
    SELECT
        wanted.number,
        given.names,
        given.features
    FROM wanted
    LEFT JOIN given
        ON
            wanted.predicted_at = given.predicted_at
            AND wanted.answer_id = given.answer_id
            AND wanted.place = given.place
)

SELECT {columns}
FROM found
ORDER BY number
