"""The local stack: Postgres, MLflow, Airflow, a mail catcher and one model server per use case, without containers."""
