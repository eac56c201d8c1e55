SELECT {values}
FROM {landing} AS landed
WHERE landed._batch_id = %(batch_id)s
