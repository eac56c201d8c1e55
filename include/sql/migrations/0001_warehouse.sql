-- depends:

CREATE SCHEMA IF NOT EXISTS landing;
CREATE SCHEMA IF NOT EXISTS ingest;
CREATE SCHEMA IF NOT EXISTS quarantine;
CREATE SCHEMA IF NOT EXISTS validated;
CREATE SCHEMA IF NOT EXISTS ml;
CREATE SCHEMA IF NOT EXISTS serving;
CREATE SCHEMA IF NOT EXISTS monitoring;

CREATE TABLE IF NOT EXISTS ingest.batches (
    batch_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case text NOT NULL,
    source_uri text NOT NULL,
    sha256 text NOT NULL,
    bytes bigint NOT NULL,
    rows bigint NOT NULL,
    quarantined bigint NOT NULL DEFAULT 0,
    status text NOT NULL DEFAULT 'landed' CHECK (status IN ('landed', 'accepted', 'rejected')),
    reason text,
    landed_at timestamptz NOT NULL DEFAULT now(),
    judged_at timestamptz,
    current_since timestamptz,
    UNIQUE (use_case, sha256)
);
COMMENT ON COLUMN ingest.batches.current_since IS 'when the batch was last made part of the validated data';

CREATE TABLE IF NOT EXISTS ingest.validations (
    validation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id bigint NOT NULL REFERENCES ingest.batches (batch_id),
    success boolean NOT NULL,
    result jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS ml.snapshots (
    snapshot_id text PRIMARY KEY,
    use_case text NOT NULL,
    uri text NOT NULL,
    sha256 text NOT NULL,
    rows bigint NOT NULL,
    available_rows bigint NOT NULL,
    train_rows bigint NOT NULL,
    calibration_rows bigint NOT NULL,
    test_rows bigint NOT NULL,
    batch_ids bigint[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS ml.evidence (
    dag_run_id text NOT NULL,
    use_case text NOT NULL,
    blessing text NOT NULL CHECK (blessing IN ('good_enough', 'servable')),
    evidence jsonb NOT NULL,
    gathered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (use_case, dag_run_id, blessing)
);

CREATE TABLE IF NOT EXISTS ml.decisions (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case text NOT NULL,
    version bigint NOT NULL,
    bundle_sha256 text,
    champion_version bigint,
    code text NOT NULL,
    message text NOT NULL,
    evidence jsonb NOT NULL,
    dag_run_id text NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS decisions_by_run ON ml.decisions (use_case, dag_run_id);

CREATE TABLE IF NOT EXISTS ml.releases (
    use_case text NOT NULL,
    version bigint NOT NULL,
    bundle_sha256 text NOT NULL,
    runtime_sha256 text NOT NULL,
    run_id text NOT NULL,
    snapshot_id text NOT NULL REFERENCES ml.snapshots (snapshot_id),
    bento text NOT NULL,
    uri text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (use_case, version)
);

CREATE TABLE IF NOT EXISTS ml.deployments (
    deployment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case text NOT NULL,
    from_version bigint,
    to_version bigint NOT NULL,
    decision_id bigint UNIQUE REFERENCES ml.decisions (decision_id),
    actor text NOT NULL,
    reason text NOT NULL,
    deployed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS serving.predictions (
    prediction_id uuid NOT NULL,
    request_id text NOT NULL,
    use_case text NOT NULL,
    model_version bigint NOT NULL,
    features jsonb NOT NULL,
    prediction double precision NOT NULL,
    latency_ms double precision NOT NULL,
    predicted_at timestamptz NOT NULL,
    PRIMARY KEY (predicted_at, prediction_id)
) PARTITION BY RANGE (predicted_at);
CREATE INDEX IF NOT EXISTS predictions_by_use_case ON serving.predictions (use_case, predicted_at);
CREATE INDEX IF NOT EXISTS predictions_by_id ON serving.predictions (prediction_id);
CREATE INDEX IF NOT EXISTS predictions_by_request ON serving.predictions (request_id);

CREATE TABLE IF NOT EXISTS serving.replicas (
    use_case text NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    version bigint,
    bundle_sha256 text,
    source text NOT NULL,
    reason text NOT NULL,
    runtime_sha256 text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (use_case, host, pid)
);

CREATE TABLE IF NOT EXISTS monitoring.reports (
    report_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case text NOT NULL,
    kind text NOT NULL,
    version bigint NOT NULL,
    current_source text NOT NULL,
    window_start timestamptz,
    window_end timestamptz,
    reference_rows bigint NOT NULL,
    current_rows bigint NOT NULL,
    drifted_share double precision,
    verdict text NOT NULL CHECK (verdict IN ('stable', 'drifted', 'unknown')),
    message text NOT NULL,
    report_uri text,
    dag_run_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (use_case, kind, dag_run_id)
);

CREATE TABLE IF NOT EXISTS monitoring.columns (
    report_id bigint NOT NULL REFERENCES monitoring.reports (report_id) ON DELETE CASCADE,
    column_name text NOT NULL,
    method text NOT NULL,
    score double precision,
    threshold double precision,
    drifted boolean,
    PRIMARY KEY (report_id, column_name)
);

-- The day's partition is made by whoever writes first, at most once.
CREATE OR REPLACE FUNCTION serving.ensure_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child text := 'predictions_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass('serving.' || child) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('serving.' || child));
    IF to_regclass('serving.' || child) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE serving.%I PARTITION OF serving.predictions FOR VALUES FROM (%L) TO (%L)',
            child, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
        );
    END IF;
END
$$;
