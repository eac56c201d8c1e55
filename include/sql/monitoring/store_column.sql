INSERT INTO monitoring.columns (report_id, column_name, method, score, threshold, drifted)
VALUES (%(report_id)s, %(column_name)s, %(method)s, %(score)s, %(threshold)s, %(drifted)s)
