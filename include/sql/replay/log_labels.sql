WITH known AS (
    SELECT
        %(answer_id)s::uuid AS answer_id,
        %(predicted_at)s::timestamptz AS predicted_at,
        %(numbers)s::double precision[] AS numbers,
        %(classes)s::text[] AS classes,
        %(moment)s::timestamptz AS moment
)

INSERT INTO serving.labels (
    prediction_id, answer_id, place, request_id, use_case, model_version, role, predicted_at, prediction, label,
    probabilities, true_number, true_label, observed_at, received_at
)
SELECT
    serving.prediction_id(answer.answer_id, instance.place - 1) AS prediction_id,
    answer.answer_id,
    instance.place - 1 AS place,
    answer.request_id,
    answer.use_case,
    answer.model_version,
    answer.role,
    answer.predicted_at,
    instance.prediction,
    instance.label,
    instance.probabilities::jsonb AS probabilities,
    known.numbers[instance.place] AS true_number,
    known.classes[instance.place] AS true_label,
    known.moment AS observed_at,
    known.moment AS received_at
FROM known
INNER JOIN serving.answers AS answer
    ON
        known.predicted_at = answer.predicted_at
        AND known.answer_id = answer.answer_id
CROSS JOIN LATERAL serving.instances(answer) AS instance
ORDER BY instance.place
