-- Every validated row, in the order it arrived.
SELECT
    {columns},
    _batch_id,
    _row,
    _identity,
    _part
FROM {view}
ORDER BY _batch_id, _row
