"""Monitoring: one Airflow DAG per use case, the daily drift check of what serves."""

from sluice.orchestration.monitor import monitor_dag
from sluice.orchestration.specs import use_cases

for use_case in use_cases():
    monitor_dag(use_case)
