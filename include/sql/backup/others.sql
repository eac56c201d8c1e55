-- The server's own processes have no name, and give way.
SELECT
    usename AS name,
    count(*) AS sessions
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL
GROUP BY usename
ORDER BY usename
