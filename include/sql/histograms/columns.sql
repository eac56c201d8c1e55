-- How the values of columns lie. Those that have few different ones are counted first, all in one pass: the values of a
-- set of columns together, which costs little more than counting those of one. In the rows of another set a column has
-- no value, which nobody counts.
WITH counted AS MATERIALIZED ( -- noqa: ST03
    SELECT
        {values},
        count(*) AS cells
    FROM ({cells}) AS cell -- noqa: AL05
    GROUP BY GROUPING SETS ({groups})
)

SELECT
    found.place,
    found.bin,
    found.label,
    found.cells,
    found.total,
    found.squares,
    found.low,
    found.high
FROM ({columns}) AS found
