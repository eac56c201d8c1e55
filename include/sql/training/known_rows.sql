-- How many validated rows have one of these identities.
SELECT count(*) AS known_rows
FROM {view}
WHERE _identity = any(%(identities)s)
