-- Where each use case stands: what serves, what was decided and ingested last. One row each.
WITH asked AS (
    SELECT
        use_case,
        place
    FROM unnest(%(use_cases)s::text[]) WITH ORDINALITY AS given (use_case, place)
)

SELECT
    asked.use_case,
    deployment.to_version AS champion,
    deployment.deployed_at,
    deployment.actor AS deployed_by,
    deployment.reason AS deployed_why,
    challenger.version AS challenger,
    challenger.share AS challenger_share,
    challenger.deployed_at AS challenger_at,
    decision.version AS decided_version,
    decision.code AS decision_code,
    decision.message AS decision_message,
    decision.dag_run_id AS decision_run,
    decision.report_uri AS decision_uri,
    decision.decided_at,
    batch.batch_id,
    batch.rows AS batch_rows,
    batch.quarantined,
    batch.status AS batch_status,
    batch.reason AS batch_reason,
    batch.landed_at,
    replica.seen_at,
    replica.versions,
    coalesce(replica.live, 0) AS live
FROM asked
LEFT JOIN LATERAL (
    SELECT
        moved.to_version,
        moved.actor,
        moved.reason,
        moved.deployed_at
    FROM ml.deployments AS moved
    WHERE moved.use_case = asked.use_case AND moved.share = 1
    ORDER BY moved.deployment_id DESC
    LIMIT 1
) AS deployment ON TRUE
LEFT JOIN LATERAL (
    SELECT
        canary.version,
        moved.share,
        moved.deployed_at
    FROM ml.canaries AS canary
    INNER JOIN ml.deployments AS moved
        ON canary.use_case = moved.use_case AND moved.action = 'canary'
    WHERE canary.use_case = asked.use_case AND canary.state = 'running'
    ORDER BY moved.deployment_id DESC
    LIMIT 1
) AS challenger ON TRUE
LEFT JOIN LATERAL (
    SELECT
        decided.version,
        decided.code,
        decided.message,
        decided.dag_run_id,
        decided.report_uri,
        decided.decided_at
    FROM ml.decisions AS decided
    WHERE decided.use_case = asked.use_case
    ORDER BY decided.decision_id DESC
    LIMIT 1
) AS decision ON TRUE
LEFT JOIN LATERAL (
    SELECT
        landed.batch_id,
        landed.rows,
        landed.quarantined,
        landed.status,
        landed.reason,
        landed.landed_at
    FROM ingest.batches AS landed
    WHERE landed.use_case = asked.use_case
    ORDER BY landed.batch_id DESC
    LIMIT 1
) AS batch ON TRUE
LEFT JOIN LATERAL (
    SELECT
        max(process.seen_at) AS seen_at,
        count(*) FILTER (WHERE process.seen_at >= %(fresh_since)s) AS live,
        array_agg(DISTINCT process.version ORDER BY process.version) FILTER (
            WHERE process.seen_at >= %(fresh_since)s AND process.version IS NOT NULL
        ) AS versions
    FROM serving.replicas AS process
    WHERE process.use_case = asked.use_case
) AS replica ON TRUE
ORDER BY asked.place
