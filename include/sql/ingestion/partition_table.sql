-- A table of its own while it is filled, so that nobody sees half a batch; `_row` counts the lines copied in.
CREATE TABLE {partition} (LIKE {landing});
ALTER TABLE {partition} ALTER COLUMN _batch_id SET DEFAULT {batch_id};
CREATE TEMPORARY SEQUENCE {counter} CACHE 1000;
ALTER TABLE {partition} ALTER COLUMN _row SET DEFAULT nextval({counter_name})
