-- Which numbers have many different values, by some rows: to group all rows by those takes longer than to find bins.
SELECT {counts}
FROM (
    SELECT *
    FROM ({cells}) AS cell -- noqa: AL05
    LIMIT {most} -- noqa: AM09
) AS beginning -- noqa: AL05
