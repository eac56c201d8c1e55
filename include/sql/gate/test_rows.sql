-- Every validated test row, and whether a row to train on has the same inputs.
SELECT
    {columns},
    _identity,
    _repeated
FROM (
    SELECT
        {columns},
        _batch_id,
        _row,
        _identity,
        _part,
        bool_or(_part = 'train') OVER (PARTITION BY md5(row({inputs})::text)::uuid) AS _repeated
    FROM {view}
) AS compared
WHERE _part = 'test'
ORDER BY _batch_id, _row
