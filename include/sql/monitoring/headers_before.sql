-- The headers of the last two sources that were read by a moment, the newest first.
WITH seen AS (
    SELECT
        sha256,
        header,
        source_uri,
        seen_at
    FROM ingest.headers
    WHERE use_case = %(use_case)s
),

landed AS (
    SELECT
        batch_id,
        sha256,
        landed_at
    FROM ingest.batches
    WHERE use_case = %(use_case)s
),

dated AS (
    SELECT
        seen.header,
        seen.source_uri,
        landed.batch_id,
        coalesce(landed.landed_at, seen.seen_at) AS read_at
    FROM seen
    LEFT JOIN landed ON seen.sha256 = landed.sha256
)

SELECT
    header,
    source_uri
FROM dated
WHERE read_at <= %(until)s
ORDER BY read_at DESC, batch_id DESC NULLS FIRST
LIMIT 2
