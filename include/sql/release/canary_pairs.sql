-- The same requests as the champion answered them and as the challenger would have, a row for each. What happened to
-- both tells them apart in nothing, so failures and slow answers are of those to which it happened in one alone.
-- Read where it is written: the view would take apart what went into every prediction.
WITH champion AS (
    SELECT
        request_id,
        min(latency_ms) > %(slow_ms)s::double precision AS slow,
        avg(
            width_bucket(
                coalesce(prediction, (probabilities ->> coalesce(%(positive)s, label))::double precision),
                %(edges)s::double precision[]
            )
        )::double precision / cardinality(%(edges)s::double precision[]) AS rank
    FROM (
        SELECT
            request_id,
            latency_ms,
            unnest(predictions) AS prediction,
            unnest(labels) AS label,
            json_array_elements(probabilities) AS probabilities
        FROM serving.answers
        WHERE
            use_case = %(use_case)s
            AND role = 'champion'
            AND NOT upload
            AND model_version = %(champion)s
            AND predicted_at > %(since)s
            AND predicted_at <= %(until)s
    ) AS made
    GROUP BY request_id
),

shadow AS (
    SELECT
        request_id,
        min(latency_ms) > %(slow_ms)s::double precision * %(max_slowdown)s AS slow,
        avg(
            width_bucket(
                coalesce(prediction, (probabilities ->> coalesce(%(positive)s, label))::double precision),
                %(edges)s::double precision[]
            )
        )::double precision / cardinality(%(edges)s::double precision[]) AS rank
    FROM (
        SELECT
            request_id,
            latency_ms,
            unnest(predictions) AS prediction,
            unnest(labels) AS label,
            json_array_elements(probabilities) AS probabilities
        FROM serving.answers
        WHERE
            use_case = %(use_case)s
            AND role = 'shadow'
            AND model_version = %(challenger)s
            AND predicted_at > %(since)s - interval '1 minute'
    ) AS made
    GROUP BY request_id
),

failed AS (
    SELECT
        request_id,
        bool_or(role = 'shadow') AS by_shadow,
        bool_or(role = 'champion') AS by_champion
    FROM serving.failures
    WHERE
        use_case = %(use_case)s
        AND failed_at > %(since)s
        AND failed_at <= %(until)s
        AND (role, model_version) IN (('champion', %(champion)s), ('shadow', %(challenger)s))
    GROUP BY request_id
),

pairs AS (
    SELECT
        count(*) AS requests,
        count(*) FILTER (WHERE champion.slow AND NOT shadow.slow) AS champion_slow,
        count(*) FILTER (WHERE shadow.slow AND NOT champion.slow) AS shadow_slow,
        coalesce(sum(champion.rank), 0)::double precision AS champion_ranks,
        coalesce(sum(shadow.rank), 0)::double precision AS shadow_ranks
    FROM champion
    INNER JOIN shadow ON champion.request_id = shadow.request_id
)

SELECT
    'champion' AS role,
    (
        SELECT count(*) FROM failed
        WHERE failed.by_champion AND NOT failed.by_shadow
    ) AS failures,
    pairs.requests,
    pairs.champion_slow AS slow,
    pairs.champion_ranks AS ranks
FROM pairs
UNION ALL
SELECT
    'challenger' AS role,
    (
        SELECT count(*) FROM failed
        WHERE failed.by_shadow AND NOT failed.by_champion
    ) AS failures,
    pairs.requests,
    pairs.shadow_slow AS slow,
    pairs.shadow_ranks AS ranks
FROM pairs
