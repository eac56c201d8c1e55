CREATE TABLE IF NOT EXISTS {landing} (
    {definitions},
    _batch_id bigint NOT NULL,
    _row bigint NOT NULL,
    PRIMARY KEY (_batch_id, _row)
) PARTITION BY LIST (_batch_id)
