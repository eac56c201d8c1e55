ALTER TABLE {partition} ALTER COLUMN _batch_id DROP DEFAULT, ALTER COLUMN _row DROP DEFAULT;
DROP SEQUENCE {counter};
ALTER TABLE {partition} ADD PRIMARY KEY (_batch_id, _row);
ALTER TABLE {landing} ATTACH PARTITION {partition} FOR VALUES IN ({batch_id})
