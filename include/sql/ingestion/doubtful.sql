-- How many rows hold a value that Postgres copied as it stood and a tolerant reading would take for another.
SELECT count(*) AS doubtful
FROM {partition}
WHERE {doubts}
