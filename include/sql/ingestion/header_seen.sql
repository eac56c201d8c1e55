INSERT INTO ingest.headers (use_case, sha256, source_uri, header)
VALUES (%(use_case)s, %(sha256)s, %(uri)s, %(header)s)
ON CONFLICT (use_case, sha256) DO UPDATE
    SET seen_at = now(), source_uri = excluded.source_uri
