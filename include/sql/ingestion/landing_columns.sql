-- The columns that a use case's landing table has, and their types as Postgres writes them.
SELECT
    attribute.attname AS column_name,
    format_type(attribute.atttypid, attribute.atttypmod) AS column_type
FROM pg_catalog.pg_attribute AS attribute
INNER JOIN pg_catalog.pg_class AS class ON attribute.attrelid = class.oid
INNER JOIN pg_catalog.pg_namespace AS namespace ON class.relnamespace = namespace.oid
WHERE
    namespace.nspname = 'landing'
    AND class.relname = %(use_case)s
    AND attribute.attnum > 0
    AND NOT attribute.attisdropped
