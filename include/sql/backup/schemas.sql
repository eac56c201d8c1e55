SELECT nspname AS name
FROM pg_namespace
WHERE nspname NOT IN ('information_schema', 'public') AND nspname NOT LIKE 'pg\_%'
ORDER BY nspname
