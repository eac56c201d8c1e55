INSERT INTO ml.evidence (dag_run_id, use_case, blessing, evidence)
VALUES (%(dag_run_id)s, %(use_case)s, %(blessing)s, %(evidence)s)
ON CONFLICT (use_case, dag_run_id, blessing) DO UPDATE
    SET evidence = excluded.evidence, gathered_at = now()
