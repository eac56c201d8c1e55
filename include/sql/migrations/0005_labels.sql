-- depends: 0004_answers

-- What was answered stands beside what was true: an uploaded block holds thousands of predictions, and would have to be
-- taken apart again for each of their labels.
CREATE TABLE IF NOT EXISTS serving.labels (
    label_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prediction_id uuid NOT NULL,
    answer_id uuid NOT NULL,
    place integer NOT NULL CHECK (place >= 0),
    request_id text NOT NULL,
    use_case text NOT NULL,
    model_version bigint NOT NULL,
    role text NOT NULL,
    predicted_at timestamptz NOT NULL,
    prediction double precision,
    label text,
    probabilities jsonb,
    true_number double precision,
    true_label text,
    observed_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    key_name text,
    CONSTRAINT labels_truth CHECK (num_nonnulls(true_number, true_label) = 1)
);
CREATE INDEX IF NOT EXISTS labels_by_prediction ON serving.labels (prediction_id, label_id);
CREATE INDEX IF NOT EXISTS labels_by_use_case ON serving.labels (use_case, predicted_at);
COMMENT ON TABLE serving.labels IS
'what turned out to be true of predictions; of several for one prediction the newest counts, the others are history';
COMMENT ON COLUMN serving.labels.place IS 'of the prediction in its answer, from 0';
COMMENT ON COLUMN serving.labels.prediction IS 'the number that was answered, by a model of numbers';
COMMENT ON COLUMN serving.labels.label IS 'the class that was answered, by a model of classes';
COMMENT ON COLUMN serving.labels.observed_at IS 'when it turned out, where the caller said so';
COMMENT ON COLUMN serving.labels.key_name IS 'whose API key brought it; null where none was asked for';

CREATE OR REPLACE TRIGGER labels_are_history
BEFORE UPDATE OR DELETE OR TRUNCATE ON serving.labels
FOR EACH STATEMENT EXECUTE FUNCTION ml.refuse_change();

CREATE OR REPLACE VIEW serving.labelled AS
SELECT
    truth.prediction_id,
    truth.request_id,
    truth.use_case,
    truth.model_version,
    truth.role,
    truth.predicted_at,
    truth.prediction,
    truth.label,
    truth.probabilities,
    truth.true_number,
    truth.true_label,
    truth.observed_at,
    truth.received_at,
    (
        SELECT coalesce(jsonb_object_agg(feature.name, feature.value), '{}'::jsonb)
        FROM (
            SELECT
                unnest(answer.names) AS name,
                json_array_elements(answer.features -> truth.place) AS value
        ) AS feature
    ) AS features
FROM serving.labels AS truth
LEFT JOIN serving.answers AS answer
    ON
        truth.predicted_at = answer.predicted_at
        AND truth.answer_id = answer.answer_id
WHERE NOT EXISTS (
    SELECT FROM serving.labels AS later
    WHERE
        truth.prediction_id = later.prediction_id
        AND truth.label_id < later.label_id
);
COMMENT ON VIEW serving.labelled IS
'predictions whose truth is known, one row each with its newest label; features cost most, where asked for';
