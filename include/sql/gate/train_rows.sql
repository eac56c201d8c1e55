-- A bounded sample of the validated rows to train on: the same rows whenever the data is the same.
SELECT
    {columns},
    _identity
FROM {view}
WHERE _part = 'train'
ORDER BY _identity, _batch_id, _row
LIMIT {max_rows}
