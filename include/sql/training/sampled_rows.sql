-- A bounded sample of the validated rows: the same rows whenever the data is the same. The identity is hashed
-- once more, because a row's part follows from its first hash and a sample by that would favour one part.
SELECT
    {columns},
    _batch_id,
    _row,
    _identity,
    _part
FROM (
    SELECT
        {columns},
        _batch_id,
        _row,
        _identity,
        _part
    FROM {view}
    ORDER BY md5('sample' || _identity), _batch_id, _row
    LIMIT {max_rows}
) AS sampled
ORDER BY _batch_id, _row
