-- depends: 0006_monitoring

-- Whoever logs may add a day to the log without being the owner of the log, and without anything else in its path.
REVOKE EXECUTE ON FUNCTION serving.ensure_partition(date) FROM public;
ALTER FUNCTION serving.ensure_partition(date) SECURITY DEFINER;
ALTER FUNCTION serving.ensure_partition(date) SET search_path = pg_catalog, pg_temp; -- noqa: PRS
