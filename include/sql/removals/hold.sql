-- Nobody removes anything while this transaction lasts; who has begun ends first.
SELECT pg_advisory_xact_lock(hashtext('sluice.removals'))
