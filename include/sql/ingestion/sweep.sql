-- Move the rows that break a rule out of the batch, each with the codes of all rules it breaks.
WITH bad AS (
    DELETE FROM {partition}
    WHERE {broken}
    RETURNING *
)

INSERT INTO {quarantine} (_batch_id, _row, row, reasons)
SELECT
    _batch_id,
    _row,
    to_jsonb(bad) - '_batch_id' - '_row' AS row, -- noqa: RF04
    array_remove(ARRAY[{reasons}], NULL) AS reasons
FROM bad
