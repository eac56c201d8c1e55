INSERT INTO monitoring.responses (use_case, breach, response, reason, dag_run_id, responded_for)
VALUES (%(use_case)s, %(breach)s, %(response)s, %(reason)s, %(dag_run_id)s, %(responded_for)s)
