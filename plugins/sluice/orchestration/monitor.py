"""The monitoring DAG: what changed since the release that serves."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, Param

from sluice.domain.errors import StateError
from sluice.domain.use_case import UseCase
from sluice.orchestration import clients, specs
from sluice.orchestration.bundles import downloaded
from sluice.orchestration.steps import common, cron, reason, step

DOC = """
Compares what arrives now with what the champion was trained on, column by column (Evidently).

Current rows are yesterday's predictions, where there are enough of them, or the newest validated batch.
The verdict is `stable`, `drifted` or `unknown` (too few rows to tell). Numbers are in `monitoring.reports` and
`monitoring.columns`; **Report** under the task's Details opens the page. Running it again replaces its own report.
"""

log = logging.getLogger(__name__)


def monitor_dag(use_case: UseCase) -> DAG:
    """The monitoring DAG of a use case; daily, or by hand."""
    params = {
        "current": Param(
            "auto",
            type="string",
            enum=["auto", "predictions", "validated"],
            title="Current rows",
            description="What is compared with the reference. auto: predictions where there are enough.",
        ),
        "reason": reason("Why this check was asked for."),
    }
    options = common(use_case, "monitor", DOC, hours=1)
    with DAG(**options, schedule=cron(use_case.schedule.monitor), params=params) as dag:
        step(check_drift, minutes=20)(use_case.name)
    return dag


def check_drift(name: str, *, params: dict[str, Any], dag_run: Any, ti: Any) -> str:
    """Compare current rows with the champion's reference; keep numbers and page."""
    from sluice.monitoring import drift, report
    from sluice.web import links

    use_case = specs.use_case(name)
    tracking, warehouse = clients.tracking(), clients.warehouse()
    champion = tracking.aliased(name, "champion")
    if champion is None:
        raise StateError(f"{name} has no champion to look after", "the model registry", f"run {name}_train first")
    now: datetime = dag_run.logical_date or dag_run.run_after
    with downloaded(tracking, champion) as bundle:
        reference = bundle.reference()
        # The contract's word, not the spec's: it is what this release was logged by.
        unlogged = [given.name for given in bundle.contract.inputs if given.sensitive]
    found = drift.check(warehouse, use_case, reference, champion.number, params["current"], now, unlogged)
    page = report.publish(clients.store(), use_case, found, dag_run.run_id)
    report.store(warehouse, use_case, found, page.path if page else None, dag_run.run_id)
    if page:
        links.show(ti, page)
    log.info("%s: %s", found.verdict, found.message)
    return found.verdict
