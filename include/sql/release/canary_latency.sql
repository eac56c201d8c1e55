-- The 95 %% quantile of how long a version took for its last requests of a window, and how many those are.
SELECT
    count(*) AS requests,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY request.latency_ms) AS slow_ms
FROM (
    SELECT latency_ms
    FROM serving.answers
    WHERE
        use_case = %(use_case)s
        AND model_version = %(version)s
        AND role = 'champion'
        AND NOT upload
        AND predicted_at > %(since)s
        AND predicted_at <= %(until)s
    ORDER BY predicted_at DESC
    LIMIT %(most)s
) AS request
