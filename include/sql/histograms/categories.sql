-- How often each label of one category occurs; what is none of them has no label.
SELECT -- noqa: ST06
    {ordinal} AS place,
    NULL::integer AS bin,
    CASE WHEN found.value = any({labels}::text[]) THEN found.value END AS label,
    sum(found.cells)::bigint AS cells,
    NULL::double precision AS total,
    NULL::double precision AS squares,
    NULL::double precision AS low,
    NULL::double precision AS high
FROM (
    SELECT
        counted.cells,
        counted.{value}::text AS value
    FROM counted
) AS found
WHERE found.value <> ''
GROUP BY label
