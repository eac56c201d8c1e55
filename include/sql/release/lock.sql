SELECT pg_advisory_xact_lock(hashtext('sluice.deploy.' || %(use_case)s))
