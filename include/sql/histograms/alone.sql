-- Several workers would be done sooner, for more work in all: nobody waits for a daily check.
SET LOCAL max_parallel_workers_per_gather = 0
