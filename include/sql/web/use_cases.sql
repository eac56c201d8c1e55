-- Where each use case stands: what serves, what was decided, ingested and found last. One row each.
WITH asked AS (
    SELECT
        use_case,
        place
    FROM unnest(%(use_cases)s::text[]) WITH ORDINALITY AS given (use_case, place)
),

deployment AS (
    SELECT DISTINCT ON (use_case)
        use_case,
        to_version,
        actor,
        reason,
        deployed_at
    FROM ml.deployments
    WHERE share = 1
    ORDER BY use_case ASC, deployment_id DESC
),

challenger AS (
    SELECT
        canary.use_case,
        canary.version,
        moved.share,
        moved.deployed_at
    FROM ml.canaries AS canary
    INNER JOIN LATERAL (
        SELECT
            deployment.share,
            deployment.deployed_at
        FROM ml.deployments AS deployment
        WHERE deployment.use_case = canary.use_case AND deployment.action = 'canary'
        ORDER BY deployment.deployment_id DESC
        LIMIT 1
    ) AS moved ON TRUE
    WHERE canary.state = 'running'
),

decision AS (
    SELECT DISTINCT ON (use_case)
        use_case,
        version,
        code,
        message,
        dag_run_id,
        report_uri,
        decided_at
    FROM ml.decisions
    ORDER BY use_case ASC, decision_id DESC
),

batch AS (
    SELECT DISTINCT ON (use_case)
        use_case,
        batch_id,
        rows,
        quarantined,
        status,
        reason,
        landed_at
    FROM ingest.batches
    ORDER BY use_case ASC, batch_id DESC
),

drift AS (
    SELECT DISTINCT ON (use_case)
        use_case,
        verdict,
        message,
        dag_run_id,
        report_uri,
        created_at
    FROM monitoring.reports
    WHERE kind = 'drift'
    ORDER BY use_case ASC, created_at DESC
),

replica AS (
    SELECT
        use_case,
        max(seen_at) AS seen_at,
        count(*) FILTER (WHERE seen_at >= %(fresh_since)s) AS live,
        array_agg(DISTINCT version ORDER BY version) FILTER (
            WHERE seen_at >= %(fresh_since)s AND version IS NOT NULL
        ) AS versions
    FROM serving.replicas
    GROUP BY use_case
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
    drift.verdict AS drift_verdict,
    drift.message AS drift_message,
    drift.dag_run_id AS drift_run,
    drift.report_uri AS drift_uri,
    drift.created_at AS drift_at,
    replica.seen_at,
    replica.versions,
    coalesce(replica.live, 0) AS live
FROM asked
LEFT JOIN deployment ON asked.use_case = deployment.use_case
LEFT JOIN challenger ON asked.use_case = challenger.use_case
LEFT JOIN decision ON asked.use_case = decision.use_case
LEFT JOIN batch ON asked.use_case = batch.use_case
LEFT JOIN drift ON asked.use_case = drift.use_case
LEFT JOIN replica ON asked.use_case = replica.use_case
ORDER BY asked.place
