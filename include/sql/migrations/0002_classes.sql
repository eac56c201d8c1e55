-- depends: 0001_warehouse

ALTER TABLE serving.predictions
ALTER COLUMN prediction DROP NOT NULL,
ADD COLUMN IF NOT EXISTS label text,
ADD COLUMN IF NOT EXISTS probabilities jsonb,
DROP CONSTRAINT IF EXISTS predictions_answer,
ADD CONSTRAINT predictions_answer CHECK (
    num_nonnulls(prediction, label) = 1
    AND num_nonnulls(label, probabilities) IN (0, 2)
);

COMMENT ON COLUMN serving.predictions.prediction IS 'the number, of a model of numbers';
COMMENT ON COLUMN serving.predictions.label IS 'the most probable class, of a model of classes';
COMMENT ON COLUMN serving.predictions.probabilities IS 'class -> probability, of a model of classes';
