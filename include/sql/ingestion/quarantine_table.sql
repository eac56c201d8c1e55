CREATE TABLE IF NOT EXISTS {quarantine} (
    _batch_id bigint NOT NULL,
    _row bigint NOT NULL,
    row jsonb NOT NULL, -- noqa: RF04
    reasons text[] NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (_batch_id, _row)
)
