-- The migrations that the warehouse has had, and what it is run by.
SELECT
    current_setting('server_version') AS server,
    array_agg(migration_id ORDER BY migration_id) AS applied
FROM public._yoyo_migration
