-- The columns that a use case's landing table has, and their types as Postgres writes them.
SELECT
    column_name,
    data_type
FROM information_schema.columns
WHERE table_schema = 'landing' AND table_name = %(use_case)s
