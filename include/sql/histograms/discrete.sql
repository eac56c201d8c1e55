-- As numbers.sql, of a number with few different values: counting each of them costs less than finding its bin.
SELECT -- noqa: ST06
    {ordinal} AS place,
    width_bucket(found.value, {edges}::double precision[]) AS bin,
    NULL::text AS label,
    sum(found.cells)::bigint AS cells,
    sum((found.value - {centre}) * found.cells) AS total,
    sum((found.value - {centre}) * (found.value - {centre}) * found.cells) AS squares,
    min(found.value) AS low,
    max(found.value) AS high
FROM (
    -- Beyond this a sum of squares is no number.
    SELECT
        counted.cells,
        least(greatest(counted.{value}::double precision, -1e150), 1e150) AS value
    FROM counted
    WHERE counted.{value}::double precision <> 'NaN'
) AS found
GROUP BY bin
