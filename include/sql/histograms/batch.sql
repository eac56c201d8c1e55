-- How many rows a batch has, then how the values of its columns lie.
SELECT
    NULL::integer AS place,
    NULL::integer AS bin,
    NULL::text AS label,
    count(*) AS cells,
    NULL::double precision AS total,
    NULL::double precision AS squares,
    NULL::double precision AS low,
    NULL::double precision AS high
FROM {landing} AS landed
WHERE landed._batch_id = %(batch_id)s
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
