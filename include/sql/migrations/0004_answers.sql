-- depends: 0003_gate_and_release

-- One row for each request, or for each block of an upload: writing one for each prediction took several times as long
-- as predicting. What was logged before becomes requests of one prediction each.
ALTER TABLE serving.predictions RENAME TO predictions_by_row;
DROP FUNCTION serving.ensure_partition(date);

CREATE TABLE serving.answers (
    answer_id uuid NOT NULL,
    request_id text NOT NULL,
    use_case text NOT NULL,
    model_version bigint NOT NULL,
    role text NOT NULL CHECK (role IN ('champion', 'challenger', 'shadow')),
    upload boolean NOT NULL DEFAULT FALSE,
    size integer NOT NULL CHECK (size > 0),
    names text[] NOT NULL,
    features json NOT NULL,
    predictions double precision[],
    labels text[],
    probabilities json,
    latency_ms double precision NOT NULL,
    predicted_at timestamptz NOT NULL,
    PRIMARY KEY (predicted_at, answer_id),
    CONSTRAINT answers_answer CHECK (
        num_nonnulls(predictions, labels) = 1
        AND num_nonnulls(labels, probabilities) IN (0, 2)
        AND coalesce(cardinality(predictions), cardinality(labels)) = size
    ),
    -- Text may not hold it, which would come out only when somebody reads; behind an escaped backslash it is no escape.
    CONSTRAINT answers_nul CHECK (
        strpos(features::text, '\u0000') = 0 OR features::text !~ '(^|[^\\])(\\\\)*\\u0000'
    )
) PARTITION BY RANGE (predicted_at);
-- As jsonb, and packed, a block of an upload took the database six times as long, and longer than predicting it did;
-- none of these gets much smaller when Postgres packs it.
ALTER TABLE serving.answers
ALTER COLUMN features SET STORAGE EXTERNAL,
ALTER COLUMN predictions SET STORAGE EXTERNAL,
ALTER COLUMN probabilities SET STORAGE EXTERNAL;
CREATE INDEX answers_by_use_case ON serving.answers (use_case, predicted_at);
CREATE INDEX answers_by_id ON serving.answers (answer_id);
CREATE INDEX answers_by_request ON serving.answers (request_id, use_case);
COMMENT ON TABLE serving.answers IS 'what was answered, one row for each request or for each block of an upload';
COMMENT ON COLUMN serving.answers.answer_id IS
'the first prediction''s id; of the others, the last 16 bits are their places';
COMMENT ON COLUMN serving.answers.features IS 'an array for each prediction, of the values of the columns in names';
COMMENT ON COLUMN serving.answers.predictions IS 'the numbers, of a model of numbers';
COMMENT ON COLUMN serving.answers.labels IS 'the most probable classes, of a model of classes';
COMMENT ON COLUMN serving.answers.probabilities IS 'an object for each prediction, class -> probability';
COMMENT ON COLUMN serving.answers.upload IS
'a block of an upload: its time is that of many rows, and no caller''s wait';
COMMENT ON COLUMN serving.answers.role IS 'shadow: nobody was given this answer';

-- The day's partition is made by whoever writes first, at most once; nobody who reads the log keeps it from being made,
-- as he would where it is made as a partition.
CREATE FUNCTION serving.ensure_partition(day date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    child text := 'answers_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass('serving.' || child) IS NOT NULL THEN
        RETURN;
    END IF;
    -- One for all days: who makes two at once would wait for who waits for him.
    PERFORM pg_advisory_xact_lock(hashtext('serving.answers'));
    -- Whoever had the lock has made it, perhaps: asked by its name again, the session would answer from memory.
    IF EXISTS (SELECT FROM pg_class WHERE relname = child AND relnamespace = 'serving'::regnamespace) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE serving.%I (LIKE serving.answers INCLUDING ALL)', child);
    EXECUTE format(
        'ALTER TABLE serving.answers ATTACH PARTITION serving.%I FOR VALUES FROM (%L) TO (%L)',
        child, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
    );
END
$$;

DO $$
BEGIN
    PERFORM serving.ensure_partition(held.day)
    FROM (
        SELECT DISTINCT (predicted_at AT TIME ZONE 'UTC')::date AS day FROM serving.predictions_by_row
    ) AS held;
END
$$;

INSERT INTO serving.answers (
    answer_id, request_id, use_case, model_version, role, size, names, features, predictions, labels, probabilities,
    latency_ms, predicted_at
)
SELECT
    made.prediction_id,
    made.request_id,
    made.use_case,
    made.model_version,
    made.role,
    1 AS size,
    coalesce(given.names, '{}') AS names,
    json_build_array(coalesce(given.features, '[]'::jsonb)) AS features,
    CASE WHEN made.prediction IS NOT NULL THEN ARRAY[made.prediction] END AS predictions,
    CASE WHEN made.label IS NOT NULL THEN ARRAY[made.label] END AS labels,
    CASE WHEN made.label IS NOT NULL THEN json_build_array(made.probabilities) END AS probabilities,
    made.latency_ms,
    made.predicted_at
FROM serving.predictions_by_row AS made
CROSS JOIN LATERAL (
    SELECT
        array_agg(feature.key ORDER BY feature.key) AS names,
        jsonb_agg(feature.value ORDER BY feature.key) AS features
    FROM jsonb_each(made.features) AS feature
) AS given;
DROP TABLE serving.predictions_by_row;

-- A prediction's id is that of its answer, with its place in the last 16 bits; the first is at place 0.
CREATE FUNCTION serving.prediction_id(answer_id uuid, place bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN place = 0 THEN answer_id
    ELSE (left(answer_id::text, 32) || lpad(to_hex(place), 4, '0'))::uuid
END;

-- An answer's predictions side by side: looking up each place in a long array would unpack the array each time.
CREATE FUNCTION serving.instances(answer serving.answers)
RETURNS TABLE (place integer, features json, prediction double precision, label text, probabilities json)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT
        generate_series(1, answer.size),
        json_array_elements(answer.features),
        unnest(answer.predictions),
        unnest(answer.labels),
        json_array_elements(answer.probabilities)
$$;

CREATE VIEW serving.predictions AS
SELECT
    answer.request_id,
    answer.use_case,
    answer.model_version,
    answer.role,
    answer.upload,
    answer.latency_ms,
    answer.predicted_at,
    answer.answer_id,
    instance.prediction,
    instance.label,
    instance.probabilities::jsonb AS probabilities,
    serving.prediction_id(answer.answer_id, instance.place - 1) AS prediction_id,
    (
        SELECT coalesce(jsonb_object_agg(name.name, instance.features -> (name.place - 1)::integer), '{}'::jsonb)
        FROM unnest(answer.names) WITH ORDINALITY AS name (name, place)
    ) AS features
FROM serving.answers AS answer
CROSS JOIN LATERAL serving.instances(answer) AS instance;
COMMENT ON VIEW serving.predictions IS
'one row for each prediction; look one up by its answer_id: the same id, or that with the last 16 bits 0';

-- Processes that were started before this write prediction by prediction until they are started anew.
CREATE FUNCTION serving.take_prediction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM serving.ensure_partition((new.predicted_at AT TIME ZONE 'UTC')::date);
    INSERT INTO serving.answers (
        answer_id, request_id, use_case, model_version, role, size, names, features, predictions, labels, probabilities,
        latency_ms, predicted_at
    )
    SELECT
        new.prediction_id,
        new.request_id,
        new.use_case,
        new.model_version,
        coalesce(new.role, 'champion'),
        1,
        coalesce(array_agg(feature.key ORDER BY feature.key), '{}'),
        json_build_array(coalesce(jsonb_agg(feature.value ORDER BY feature.key), '[]'::jsonb)),
        CASE WHEN new.prediction IS NOT NULL THEN ARRAY[new.prediction] END,
        CASE WHEN new.label IS NOT NULL THEN ARRAY[new.label] END,
        CASE WHEN new.probabilities IS NOT NULL THEN json_build_array(new.probabilities) END,
        new.latency_ms,
        new.predicted_at
    FROM jsonb_each(new.features) AS feature;
    RETURN new;
END
$$;
CREATE TRIGGER predictions_are_taken
INSTEAD OF INSERT ON serving.predictions
FOR EACH ROW EXECUTE FUNCTION serving.take_prediction();

-- What was written by a try whose end was not heard of is not written again; those before had no ids.
ALTER TABLE serving.failures ADD COLUMN failure_id uuid;
CREATE UNIQUE INDEX failures_once ON serving.failures (failure_id);
