"""Operations: the platform's own DAGs, and those that a person starts for a use case beside its stages."""

from __future__ import annotations

from airflow.sdk import DAG

from sluice.orchestration import health
from sluice.orchestration.canary import canary_dag
from sluice.orchestration.publish import publish_dag
from sluice.orchestration.retention import retention_dag
from sluice.orchestration.rollback import rollback_dag
from sluice.orchestration.steps import cron, platform, step

CHECK_DOC = """
Reads every use case's spec and the watcher's last sign of life, hourly, and fails with a mail when one is broken.

A use case whose spec is broken has no DAGs that could say so. `make check` reads the specs too. The watcher tells what
Airflow cannot tell about itself, and in turn cannot tell that it is dead.
"""


def check_dag() -> DAG:
    """The hourly check of the specs and of the watcher."""
    with DAG(**platform("check", CHECK_DOC, hours=0.2), schedule=cron("0 * * * *")) as dag:
        step(health.check_specs, minutes=5)()
        step(health.check_watcher, minutes=5)()
    return dag


use_case_dags = (rollback_dag, canary_dag, publish_dag)
platform_dags = (check_dag, retention_dag)
