-- Rows of one accepted batch, at most as many as asked for; the same batch gives the same sample.
-- Out of the landed rows, where other batches are passed over; the view of the validated ones would read them all.
SELECT {columns}
FROM {landing} AS landed
WHERE
    landed._batch_id = %(batch_id)s
    -- About as many as are wanted, and some more: passing over the others costs far less than sorting them.
    AND hashint8extended(landed._row, 0) <= %(highest)s
ORDER BY hashint8extended(landed._row, 0), landed._row
LIMIT %(most)s
