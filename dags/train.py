"""Training: one Airflow DAG per use case, from validated rows to a registered candidate."""

from sluice.orchestration.specs import use_cases
from sluice.orchestration.train import train_dag

for use_case in use_cases():
    train_dag(use_case)
