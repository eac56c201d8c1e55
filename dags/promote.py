"""Promotion: one Airflow DAG per use case, from its candidate to the live endpoint."""

from sluice.orchestration.promote import promote_dag
from sluice.orchestration.specs import use_cases

for use_case in use_cases():
    promote_dag(use_case)
