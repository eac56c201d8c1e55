-- How the values of columns lie. Those that have few different ones are counted first, all in one pass: the values of a
-- set of columns together, which costs little more than counting those of one.
WITH counted AS MATERIALIZED ( -- noqa: ST03
    SELECT
        {values},
        {sets},
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
