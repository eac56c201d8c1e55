-- depends: 0002_classes

ALTER TABLE ml.decisions
ADD COLUMN IF NOT EXISTS actor text NOT NULL DEFAULT 'gate',
ADD COLUMN IF NOT EXISTS overrides bigint REFERENCES ml.decisions (decision_id),
ADD COLUMN IF NOT EXISTS report_uri text;
COMMENT ON COLUMN ml.decisions.actor IS 'gate, or the person who approved, refused or forced';
COMMENT ON COLUMN ml.decisions.overrides IS 'the decision of the gate that the person spoke about';

ALTER TABLE ml.releases
ADD COLUMN IF NOT EXISTS image text,
ADD COLUMN IF NOT EXISTS removed_at timestamptz;
COMMENT ON COLUMN ml.releases.removed_at IS 'when its bento, image and copies were removed: no way back since';

ALTER TABLE ml.snapshots ADD COLUMN IF NOT EXISTS removed_at timestamptz;

ALTER TABLE ml.deployments
ADD COLUMN IF NOT EXISTS action text NOT NULL DEFAULT 'promote'
CHECK (action IN ('promote', 'rollback', 'canary', 'withdraw')),
ADD COLUMN IF NOT EXISTS share double precision NOT NULL DEFAULT 1 CHECK (share BETWEEN 0 AND 1),
DROP CONSTRAINT IF EXISTS deployments_decision_id_key;
COMMENT ON COLUMN ml.deployments.share IS
'of the traffic that to_version answers from then on; 0 is shadow, or none after a withdrawal';
CREATE UNIQUE INDEX IF NOT EXISTS deployments_once_per_decision
ON ml.deployments (decision_id) WHERE action = 'promote';

CREATE TABLE IF NOT EXISTS ml.canaries (
    canary_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    use_case text NOT NULL,
    version bigint NOT NULL,
    champion_version bigint NOT NULL,
    decision_id bigint NOT NULL UNIQUE REFERENCES ml.decisions (decision_id),
    policy jsonb NOT NULL,
    yardstick jsonb NOT NULL,
    step integer NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'promoted', 'withdrawn')),
    reason text,
    began_at timestamptz NOT NULL DEFAULT now(),
    step_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
COMMENT ON COLUMN ml.canaries.step IS 'index into the shares of the policy; -1 is shadow';
COMMENT ON COLUMN ml.canaries.yardstick IS
'what slow is and how predictions are ranked: taken from the champion at the start, then left alone';
CREATE UNIQUE INDEX IF NOT EXISTS canaries_one_at_a_time ON ml.canaries (use_case) WHERE state = 'running';

CREATE TABLE IF NOT EXISTS ml.canary_looks (
    canary_id bigint NOT NULL REFERENCES ml.canaries (canary_id),
    looked_at timestamptz NOT NULL DEFAULT now(),
    step integer NOT NULL,
    seen jsonb NOT NULL,
    PRIMARY KEY (canary_id, looked_at)
);

-- What was decided and deployed is history: it is added to and never changed.
CREATE OR REPLACE FUNCTION ml.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is a ledger: rows are added to it and never changed or removed', tg_table_schema, tg_table_name;
END
$$;
CREATE OR REPLACE TRIGGER decisions_are_history
BEFORE UPDATE OR DELETE OR TRUNCATE ON ml.decisions
FOR EACH STATEMENT EXECUTE FUNCTION ml.refuse_change();
CREATE OR REPLACE TRIGGER deployments_are_history
BEFORE UPDATE OR DELETE OR TRUNCATE ON ml.deployments
FOR EACH STATEMENT EXECUTE FUNCTION ml.refuse_change();

ALTER TABLE serving.predictions
ADD COLUMN IF NOT EXISTS role text NOT NULL DEFAULT 'champion'
CHECK (role IN ('champion', 'challenger', 'shadow'));
COMMENT ON COLUMN serving.predictions.role IS 'shadow: nobody was given this answer';

CREATE TABLE IF NOT EXISTS serving.failures (
    request_id text NOT NULL,
    use_case text NOT NULL,
    model_version bigint NOT NULL,
    role text NOT NULL CHECK (role IN ('champion', 'challenger', 'shadow')),
    reason text NOT NULL,
    failed_at timestamptz NOT NULL
);
COMMENT ON TABLE serving.failures IS
'requests that a release could not answer though they keep to its contract; the champion answered for a challenger';
CREATE INDEX IF NOT EXISTS failures_by_use_case ON serving.failures (use_case, failed_at);

ALTER TABLE serving.replicas
ADD COLUMN IF NOT EXISTS challenger_version bigint,
ADD COLUMN IF NOT EXISTS challenger_share double precision,
ADD COLUMN IF NOT EXISTS challenger_reason text;
