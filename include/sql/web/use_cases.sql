-- Where each use case stands: what serves, what was decided, ingested and found last. One row each.
SELECT
    asked.use_case,
    deployment.to_version AS champion,
    deployment.deployed_at,
    deployment.actor AS deployed_by,
    decision.version AS decided_version,
    decision.code AS decision_code,
    decision.message AS decision_message,
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
    coalesce(replica.live, 0) AS live,
    replica.versions
FROM unnest(%(use_cases)s::text []) WITH ORDINALITY AS asked (use_case, place)
LEFT JOIN LATERAL (
    SELECT
        to_version,
        deployed_at,
        actor
    FROM ml.deployments
    WHERE deployments.use_case = asked.use_case
    ORDER BY deployment_id DESC
    LIMIT 1
) AS deployment ON true
LEFT JOIN LATERAL (
    SELECT
        version,
        code,
        message,
        decided_at
    FROM ml.decisions
    WHERE decisions.use_case = asked.use_case
    ORDER BY decision_id DESC
    LIMIT 1
) AS decision ON true
LEFT JOIN LATERAL (
    SELECT
        batch_id,
        rows,
        quarantined,
        status,
        reason,
        landed_at
    FROM ingest.batches
    WHERE batches.use_case = asked.use_case
    ORDER BY batch_id DESC
    LIMIT 1
) AS batch ON true
LEFT JOIN LATERAL (
    SELECT
        verdict,
        message,
        dag_run_id,
        report_uri,
        created_at
    FROM monitoring.reports
    WHERE
        reports.use_case = asked.use_case
        AND reports.kind = 'drift'
    ORDER BY created_at DESC
    LIMIT 1
) AS drift ON true
LEFT JOIN LATERAL (
    SELECT
        max(seen_at) AS seen_at,
        count(*) FILTER (WHERE seen_at >= %(fresh_since)s) AS live,
        array_agg(DISTINCT version ORDER BY version)
            FILTER (WHERE seen_at >= %(fresh_since)s AND version IS NOT NULL) AS versions
    FROM serving.replicas
    WHERE replicas.use_case = asked.use_case
) AS replica ON true
ORDER BY asked.place
