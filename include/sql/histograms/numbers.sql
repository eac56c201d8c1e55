-- How the values of one number lie: a row for each bin that is not empty.
SELECT -- noqa: ST06
    {ordinal} AS place,
    width_bucket(present.value, {edges}::double precision[]) AS bin,
    NULL::text AS label,
    count(*) AS cells,
    sum(present.value - {centre}) AS total,
    sum((present.value - {centre}) * (present.value - {centre})) AS squares,
    min(present.value) AS low,
    max(present.value) AS high
FROM (
    -- Beyond this a sum of squares is no number.
    SELECT least(greatest(cell.{value}::double precision, -1e150), 1e150) AS value
    FROM ({cells}) AS cell
    WHERE cell.{value}::double precision <> 'NaN'
    -- Keeps the bounds from being applied again for each use of the value.
    OFFSET 0 -- noqa: AM09
) AS present
GROUP BY bin
