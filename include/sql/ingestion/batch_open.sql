-- Whoever comes second waits here until the first is done, and then gets no row.
INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows)
VALUES (%(use_case)s, %(uri)s, %(sha256)s, %(bytes)s, 0)
ON CONFLICT (use_case, sha256) DO NOTHING
RETURNING batch_id
