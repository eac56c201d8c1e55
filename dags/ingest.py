"""Ingestion: one Airflow DAG per use case, from its source to validated rows."""

from sluice.orchestration.ingest import ingest_dag
from sluice.orchestration.specs import use_cases

for use_case in use_cases():
    ingest_dag(use_case)
