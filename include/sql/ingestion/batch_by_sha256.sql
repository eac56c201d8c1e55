SELECT * FROM ingest.batches WHERE use_case = %(use_case)s AND sha256 = %(sha256)s
