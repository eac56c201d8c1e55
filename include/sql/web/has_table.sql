-- Whether there is such a table.
SELECT to_regclass(%(name)s) IS NOT NULL AS there
