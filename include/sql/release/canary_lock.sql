SELECT pg_advisory_xact_lock(hashtext('sluice.canary'), %(canary_id)s::integer)
