-- One sight at a time, or two tasks of one run that fail together would both be the first.
SELECT pg_advisory_xact_lock(hashtextextended('monitoring.incidents', 0));
