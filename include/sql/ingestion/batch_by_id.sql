SELECT * FROM ingest.batches WHERE use_case = %(use_case)s AND batch_id = %(batch_id)s
