INSERT INTO monitoring.columns (report_id, column_name, method, score, threshold, drifted)
VALUES (%(report_id)s, %(column)s, %(method)s, %(score)s, %(threshold)s, %(drifted)s)
