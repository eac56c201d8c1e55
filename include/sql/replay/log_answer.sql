INSERT INTO serving.answers (
    answer_id, request_id, use_case, model_version, role, upload, size, names, features, predictions, labels,
    probabilities, latency_ms, predicted_at
)
VALUES (
    %(answer_id)s, %(request_id)s, %(use_case)s, %(version)s, 'champion', FALSE, %(size)s, %(names)s, %(features)s,
    %(predictions)s, %(labels)s, %(probabilities)s, 0, %(moment)s
)
