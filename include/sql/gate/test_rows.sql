SELECT {columns}
FROM {view}
WHERE _part = 'test'
ORDER BY _batch_id, _row
