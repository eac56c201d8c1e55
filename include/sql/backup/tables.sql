-- Every table that holds rows of its own: a partitioned one holds none.
SELECT
    space.nspname AS schema_name,
    class.relname AS table_name
FROM pg_class AS class
INNER JOIN pg_namespace AS space ON class.relnamespace = space.oid
WHERE
    class.relkind = 'r'
    AND space.nspname <> 'information_schema'
    AND space.nspname NOT LIKE 'pg\_%'
ORDER BY space.nspname, class.relname
