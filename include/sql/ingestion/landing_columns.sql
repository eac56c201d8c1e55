-- The columns that a use case's landing table has, and their types as Postgres writes them.
SELECT
    columns.column_name,
    columns.data_type
FROM information_schema.columns AS columns
WHERE columns.table_schema = 'landing' AND columns.table_name = %(use_case)s
