"""Operations: the platform's own DAGs, and those that a person starts for a use case beside its stages."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from sluice.orchestration import alerts, health
from sluice.orchestration.canary import canary_dag
from sluice.orchestration.retention import retention_dag
from sluice.orchestration.rollback import rollback_dag
from sluice.orchestration.steps import cron, step

CHECK_DOC = """
Reads every use case's spec, hourly, and fails with a mail when one is broken.

A use case whose spec is broken has no DAGs that could say so. `make check` reads the specs too.
"""


def check_dag() -> DAG:
    """The hourly check of the specs."""
    callbacks = alerts.platform_alerts()
    with DAG(
        dag_id="sluice_check",
        dag_display_name="Sluice: check",
        description="Reads every use case's spec.",
        doc_md=CHECK_DOC,
        schedule=cron("0 * * * *"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(minutes=10),
        tags=["sluice"],
        default_args={"owner": "sluice", "retries": 0, "on_failure_callback": callbacks.task},
        on_failure_callback=callbacks.run,
    ) as dag:
        step(health.check_specs, minutes=5)()
    return dag


use_case_dags = (rollback_dag, canary_dag)
platform_dags = (check_dag, retention_dag)
