-- How many validated rows there are to train on.
SELECT count(*) AS available_rows FROM {view}
