-- The spec's columns are added to it one by one, as they appear in the spec.
CREATE TABLE IF NOT EXISTS {landing} (
    _batch_id bigint NOT NULL,
    _row bigint NOT NULL,
    PRIMARY KEY (_batch_id, _row)
) PARTITION BY LIST (_batch_id)
