"""Training: one Airflow DAG per use case, from validated rows to a registered candidate."""

from sluice.orchestration.train import train_dag
from sluice.orchestration.specs import use_cases

for use_case in use_cases():
    train_dag(use_case)
