-- depends: 0005_labels

ALTER TABLE monitoring.reports
ADD COLUMN IF NOT EXISTS checked_for timestamptz,
ADD COLUMN IF NOT EXISTS recommendation text,
ADD COLUMN IF NOT EXISTS removed_at timestamptz,
DROP CONSTRAINT IF EXISTS reports_verdict_check,
ADD CONSTRAINT reports_verdict_check CHECK (verdict IN ('stable', 'drifted', 'degraded', 'unknown'));
UPDATE monitoring.reports SET checked_for = created_at
WHERE checked_for IS NULL;
ALTER TABLE monitoring.reports ALTER COLUMN checked_for SET NOT NULL;
ALTER TABLE monitoring.reports ALTER COLUMN checked_for SET DEFAULT now();
CREATE INDEX IF NOT EXISTS reports_by_moment ON monitoring.reports (use_case, kind, checked_for);
COMMENT ON COLUMN monitoring.reports.kind IS 'drift, quality or performance';
COMMENT ON COLUMN monitoring.reports.checked_for IS 'the moment that the check was about, which may lie in the past';
COMMENT ON COLUMN monitoring.reports.recommendation IS 'in plain words: retrain or not, and why';

ALTER TABLE monitoring.columns
ADD COLUMN IF NOT EXISTS sampled_method text,
ADD COLUMN IF NOT EXISTS sampled_score double precision,
ADD COLUMN IF NOT EXISTS sampled_threshold double precision,
ADD COLUMN IF NOT EXISTS sampled_drifted boolean;
COMMENT ON COLUMN monitoring.columns.score IS 'of all rows, from histograms';
COMMENT ON COLUMN monitoring.columns.sampled_score IS 'of the sample that the page shows, as Evidently judged it';

CREATE TABLE IF NOT EXISTS monitoring.quality (
    report_id bigint NOT NULL REFERENCES monitoring.reports (report_id) ON DELETE CASCADE,
    check_name text NOT NULL,
    column_name text NOT NULL DEFAULT '',
    value double precision,
    limit_value double precision,
    passed boolean,
    detail text NOT NULL,
    PRIMARY KEY (report_id, check_name, column_name)
);
COMMENT ON COLUMN monitoring.quality.column_name IS 'empty where the check is of the whole';
COMMENT ON COLUMN monitoring.quality.passed IS 'null is could not tell';

CREATE TABLE IF NOT EXISTS monitoring.performance (
    report_id bigint NOT NULL REFERENCES monitoring.reports (report_id) ON DELETE CASCADE,
    version bigint NOT NULL,
    slice text NOT NULL DEFAULT '',
    metric text NOT NULL,
    basis text NOT NULL CHECK (basis IN ('realised', 'estimated', 'promised')),
    value double precision,
    low double precision,
    high double precision,
    rows bigint NOT NULL,
    PRIMARY KEY (report_id, version, slice, metric, basis)
);
COMMENT ON COLUMN monitoring.performance.slice IS 'empty for all rows, else column=value';
COMMENT ON COLUMN monitoring.performance.basis IS
'realised: from labels; estimated: without any; promised: what the contract holds from promotion';

CREATE TABLE IF NOT EXISTS monitoring.responses (
    response_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case text NOT NULL,
    breach text NOT NULL CHECK (breach IN ('drift', 'quality', 'performance')),
    response text NOT NULL CHECK (response IN ('nothing', 'alert', 'approval', 'retrain')),
    reason text NOT NULL,
    dag_run_id text NOT NULL,
    responded_for timestamptz NOT NULL,
    responded_at timestamptz NOT NULL DEFAULT now(),
    answer text CHECK (answer IN ('yes', 'no', 'lapsed')),
    actor text,
    answer_reason text,
    training_run_id text,
    UNIQUE (use_case, breach, dag_run_id)
);
COMMENT ON TABLE monitoring.responses IS 'what followed each check that was a breach';
COMMENT ON COLUMN monitoring.responses.responded_for IS 'the moment that the check was about';
COMMENT ON COLUMN monitoring.responses.answer IS 'what the person said who was asked; lapsed where nobody did in time';
COMMENT ON COLUMN monitoring.responses.training_run_id IS 'the run of the training DAG that was started for it';

CREATE TABLE IF NOT EXISTS monitoring.incidents (
    incident_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause text NOT NULL,
    use_case text NOT NULL,
    kind text NOT NULL,
    occasion text NOT NULL DEFAULT '',
    alert jsonb NOT NULL,
    times bigint NOT NULL DEFAULT 1,
    opened_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    claimed_at timestamptz,
    mailed_at timestamptz,
    closed_at timestamptz,
    closing_mailed_at timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS incidents_one_at_a_time ON monitoring.incidents (cause) WHERE closed_at IS NULL;
CREATE INDEX IF NOT EXISTS incidents_by_occasion ON monitoring.incidents (occasion) WHERE occasion <> '';
COMMENT ON COLUMN monitoring.incidents.occasion IS 'the run that it was seen in last, where it makes that run fail';
COMMENT ON COLUMN monitoring.incidents.claimed_at IS 'when somebody last set about sending a mail of it';
COMMENT ON TABLE monitoring.incidents IS 'what was wrong, from when until when; one cause is one mail until it heals';

CREATE TABLE IF NOT EXISTS monitoring.heartbeats (
    component text PRIMARY KEY,
    seen_at timestamptz NOT NULL,
    note text NOT NULL DEFAULT ''
);
COMMENT ON TABLE monitoring.heartbeats IS 'the last sign of life of what watches the others';

CREATE TABLE IF NOT EXISTS ingest.headers (
    use_case text NOT NULL,
    sha256 text NOT NULL,
    source_uri text NOT NULL,
    header text[] NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (use_case, sha256)
);
COMMENT ON TABLE ingest.headers IS 'the header of every source that was read, also of those that could not be landed';

-- The pages in Airflow's UI lead from a batch to the page of what was found in it, and ask by use case.
ALTER TABLE ingest.batches ADD COLUMN IF NOT EXISTS report_uri text;
CREATE INDEX IF NOT EXISTS validations_by_batch ON ingest.validations (batch_id, validation_id);
CREATE INDEX IF NOT EXISTS decisions_by_use_case ON ml.decisions (use_case, decision_id);
CREATE INDEX IF NOT EXISTS deployments_by_use_case ON ml.deployments (use_case, deployment_id);
