"""The roof: DAG factories and alerts. Wiring only; parsed by Airflow, so heavy imports live inside tasks."""
