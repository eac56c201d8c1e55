-- The roles and databases of the stack in containers: made, or brought up to date, at each start, by psql as postgres.
-- Passwords come from the environment, because everybody on the machine may read a command line.
\set ON_ERROR_STOP on
\set QUIET on
\getenv postgres_password POSTGRES_PASSWORD
\getenv airflow_password SLUICE_AIRFLOW_DB_PASSWORD
\getenv mlflow_password SLUICE_MLFLOW_DB_PASSWORD
\getenv optuna_password SLUICE_OPTUNA_DB_PASSWORD
\getenv warehouse_password SLUICE_WAREHOUSE_DB_PASSWORD
\getenv serving_password SLUICE_SERVING_DB_PASSWORD
\getenv watcher_password SLUICE_WATCHER_DB_PASSWORD

-- Nothing with a password in it goes to the server's log, a statement that fails neither.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';

-- An empty one would leave its role without any; psql has no other way to end with an error of its own words.
SELECT (string_agg(name, ', ') || ': empty, run make secrets')::integer AS missing
FROM (VALUES
('POSTGRES_PASSWORD', :'postgres_password'),
('SLUICE_AIRFLOW_DB_PASSWORD', :'airflow_password'),
('SLUICE_MLFLOW_DB_PASSWORD', :'mlflow_password'),
('SLUICE_OPTUNA_DB_PASSWORD', :'optuna_password'),
('SLUICE_WAREHOUSE_DB_PASSWORD', :'warehouse_password'),
('SLUICE_SERVING_DB_PASSWORD', :'serving_password'),
('SLUICE_WATCHER_DB_PASSWORD', :'watcher_password')
) AS given (name, value)
WHERE value = ''
\gset

-- What a role may do to a database: all of its own, and in the warehouse what include/sql/grants says.
CREATE TEMPORARY TABLE wanted (role, database) AS VALUES
('airflow', 'airflow'),
('mlflow', 'mlflow'),
('optuna', 'optuna'),
('sluice', 'warehouse'),
('serving', NULL),
('watcher', NULL);

SELECT format('CREATE ROLE %I', role)
FROM wanted
WHERE role NOT IN (SELECT rolname FROM pg_roles)
\gexec
SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', role)
FROM wanted
\gexec
ALTER ROLE airflow PASSWORD :'airflow_password';
ALTER ROLE mlflow PASSWORD :'mlflow_password';
ALTER ROLE optuna PASSWORD :'optuna_password';
ALTER ROLE sluice PASSWORD :'warehouse_password';
ALTER ROLE serving PASSWORD :'serving_password';
ALTER ROLE watcher PASSWORD :'watcher_password';

SELECT format('CREATE DATABASE %I OWNER %I', database, role)
FROM wanted
WHERE database NOT IN (SELECT datname FROM pg_database)
\gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', database, role)
FROM wanted
WHERE database IS NOT NULL
\gexec
-- Or every role could connect everywhere, and make temporary tables there until the disk is full.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
FROM pg_database
\gexec
GRANT CONNECT ON DATABASE warehouse TO serving, watcher;

\connect warehouse
REVOKE ALL ON SCHEMA public FROM PUBLIC;
-- A table opens to nobody but its owner by itself, a function to everybody.
ALTER DEFAULT PRIVILEGES FOR ROLE sluice REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The last of all: with the old one it got here, and this session is another than the first.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
ALTER ROLE postgres PASSWORD :'postgres_password';
