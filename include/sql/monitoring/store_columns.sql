INSERT INTO monitoring.columns (
    report_id, column_name, method, score, threshold, drifted, sampled_method, sampled_score, sampled_threshold,
    sampled_drifted
)
VALUES (
    %(report_id)s, %(column_name)s, %(method)s, %(score)s, %(threshold)s, %(drifted)s, %(sampled_method)s,
    %(sampled_score)s, %(sampled_threshold)s, %(sampled_drifted)s
)
