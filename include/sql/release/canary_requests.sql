-- What champion and challenger did in a window, a row for each: a request counts once, however many rows it had.
-- Read where it is written: the view would take apart what went into every prediction.
WITH noted AS (
    SELECT
        request_id,
        role,
        failed_at
    FROM serving.failures
    WHERE
        use_case = %(use_case)s
        AND failed_at > %(since)s - interval '1 minute'
        AND (role, model_version) IN (('champion', %(champion)s), ('challenger', %(challenger)s))
),

failed AS (
    SELECT
        request_id,
        -- A request that both failed at was the challenger's.
        CASE WHEN bool_or(role = 'challenger') THEN 'challenger' ELSE 'champion' END AS role
    FROM noted
    WHERE failed_at > %(since)s AND failed_at <= %(until)s
    GROUP BY request_id
),

answered AS (
    SELECT
        role,
        min(latency_ms) AS latency_ms,
        avg(
            width_bucket(
                coalesce(prediction, (probabilities ->> coalesce(%(positive)s, label))::double precision),
                %(edges)s::double precision[]
            )
        )::double precision / cardinality(%(edges)s::double precision[]) AS rank
    FROM (
        SELECT
            made.role,
            made.request_id,
            made.predicted_at,
            made.latency_ms,
            unnest(made.predictions) AS prediction,
            unnest(made.labels) AS label,
            json_array_elements(made.probabilities) AS probabilities
        FROM serving.answers AS made
        WHERE
            made.use_case = %(use_case)s
            AND NOT made.upload
            AND made.predicted_at > %(since)s
            AND made.predicted_at <= %(until)s
            AND (made.role, made.model_version) IN (('champion', %(champion)s), ('challenger', %(challenger)s))
            -- What the champion answered for a challenger that failed was the challenger's to answer.
            AND made.request_id NOT IN (
                SELECT noted.request_id FROM noted
                WHERE noted.role = 'challenger'
            )
    ) AS given
    GROUP BY role, request_id, predicted_at
),

sides (role, slow_ms) AS (
    VALUES
    ('champion', %(slow_ms)s::double precision),
    ('challenger', %(slow_ms)s::double precision * %(max_slowdown)s)
)

SELECT
    sides.role,
    (
        SELECT count(*) FROM failed
        WHERE failed.role = sides.role
    ) AS failures,
    count(answered.latency_ms) AS requests,
    count(*) FILTER (WHERE answered.latency_ms > sides.slow_ms) AS slow,
    coalesce(sum(answered.rank), 0)::double precision AS ranks
FROM sides
LEFT JOIN answered ON sides.role = answered.role
GROUP BY sides.role
