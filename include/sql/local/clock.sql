-- The time as the warehouse has it.
SELECT now() AS now
