-- What served at a moment: who let it, why, by which decision, from which release; and the challenger beside it.
WITH moves AS (
    SELECT
        deployment_id,
        use_case,
        to_version,
        decision_id,
        actor,
        reason,
        action,
        share,
        deployed_at
    FROM ml.deployments
    WHERE use_case = %(use_case)s AND deployed_at <= %(moment)s
),

champion AS (
    SELECT * FROM moves
    WHERE share = 1
    ORDER BY deployment_id DESC
    LIMIT 1
),

latest AS (
    SELECT * FROM moves
    ORDER BY deployment_id DESC
    LIMIT 1
)

SELECT
    champion.to_version AS version,
    champion.deployed_at AS since,
    champion.action,
    champion.actor,
    champion.reason,
    decided.decision_id,
    decided.message AS decision,
    release.bento,
    release.bundle_sha256,
    release.run_id,
    release.snapshot_id,
    challenger.to_version AS challenger_version,
    challenger.share AS challenger_share,
    challenger.deployed_at AS challenger_since,
    (
        SELECT min(later.deployed_at) FROM ml.deployments AS later
        WHERE
            later.use_case = champion.use_case
            AND later.share = 1
            AND later.deployment_id > champion.deployment_id
    ) AS until
FROM champion
-- A canary is over as soon as anything else is entered after it.
LEFT JOIN latest AS challenger ON challenger.action = 'canary'
LEFT JOIN ml.releases AS release
    ON champion.use_case = release.use_case AND champion.to_version = release.version
-- A way back is no decision of the gate; the one that let the release serve at first still stands.
LEFT JOIN LATERAL (
    SELECT
        decision.decision_id,
        decision.message
    FROM ml.decisions AS decision
    WHERE
        decision.use_case = champion.use_case
        AND CASE
            WHEN champion.decision_id IS NOT NULL THEN decision.decision_id = champion.decision_id
            ELSE
                decision.version = champion.to_version
                AND decision.code = 'promote'
                AND decision.decided_at <= champion.deployed_at
        END
    ORDER BY decision.decision_id DESC
    LIMIT 1
) AS decided ON TRUE
