-- What of Airflow's nobody can read without its Fernet key.
SELECT
    (
        SELECT count(*) FROM connection
        WHERE is_encrypted OR is_extra_encrypted
    )
    + (
        SELECT count(*) FROM variable
        WHERE is_encrypted
    ) AS number
