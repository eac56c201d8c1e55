-- Rows of one validated batch, at most as many as asked for; the same batch gives the same sample.
SELECT {columns}
FROM {view} AS validated
WHERE validated._batch_id = %(batch_id)s
ORDER BY hashint8extended(validated._row, 0), validated._row
LIMIT %(most)s
