-- How many predictions one release answered in a window of time, then how their inputs and answers lie.
WITH answered AS MATERIALIZED (
    SELECT *
    FROM ({answered}) AS found -- noqa: AL05
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
