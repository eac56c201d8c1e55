-- Those who remove do so side by side; while a backup is taken, they wait.
SELECT pg_advisory_xact_lock_shared(hashtext('sluice.removals'))
