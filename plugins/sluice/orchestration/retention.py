"""The retention DAG: removes what no deployment could need any more, and old reports."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param

from sluice.orchestration import clients, specs
from sluice.orchestration.steps import cron, platform, reason, step
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.release.retention import Archive

DOC = """
Removes old model versions with their runs, bentos, images and copies, old snapshots and old reports, daily.

Each spec's `retention` says how much stays. What never goes: what an alias names, what the last deployments moved
from or to, what was decided about or registered lately, and the snapshots all these were trained on.
The ledgers keep their rows for ever: a prediction still leads back to its source file after its model is gone.
The checks' pages, in the object store and in MLflow, and the numbers behind their verdicts go after
`monitoring.reports_days`; the verdicts stay.

With **Only look**, nothing is touched and the log says what would go.
"""

log = logging.getLogger(__name__)


def retention_dag() -> DAG:
    """The daily removal, one mapped task per use case."""
    params = {
        "only_look": Param(False, type="boolean", title="Only look", description="Say what would go; touch nothing."),
        "reason": reason("Why this was started by hand."),
    }
    with DAG(**platform("retention", DOC, hours=2), schedule=cron("30 4 * * *"), params=params) as dag:
        names = [use_case.name for use_case in specs.use_cases()]
        for purpose in (clear, clear_reports):
            # Images go where they were built.
            options = {"queue": settings().build_queue, "map_index_template": "{{ task.op_kwargs['name'] }}"}
            mapped: Any = step(purpose, minutes=30, **options)
            mapped.expand(name=names)
    return dag


def clear(name: str, *, params: dict[str, Any]) -> str:
    """Remove what a use case's policy lets go of, and say what that is."""
    policy, now = specs.use_case(name).retention, datetime.now(UTC)
    past = archive()
    removal = past.plan(name, policy, now) if params["only_look"] else past.clear(name, policy, now)
    said = "would go" if params["only_look"] else "are gone"
    log.info("%s", f"{said}: {removal}" if removal else f"{name}: nothing is old enough to go")
    return str(removal)


def clear_reports(name: str, *, params: dict[str, Any]) -> int:
    """Remove the pages and details of a use case's checks that are old enough, and say how many those are."""
    from sluice.monitoring.retention import Shelf

    use_case, now = specs.use_case(name), datetime.now(UTC)
    shelf = Shelf(clients.warehouse(), clients.store(), clients.tracking())
    old = shelf.old(use_case, now) if params["only_look"] else shelf.clear(use_case, now)
    said = "would go" if params["only_look"] else "are gone"
    log.info("%d reports of more than %d days %s", len(old), use_case.monitoring.reports_days, said)
    return len(old)


def archive() -> Archive:
    """Where the past lies, by the settings."""
    from sluice.release import image
    from sluice.release.retention import Archive

    engine, home = settings().container_engine, settings().bento_store
    remove = (lambda *_: None) if engine == "none" else partial(image.remove, engine, home)
    return Archive(clients.warehouse(), clients.tracking(), clients.store(), home, remove)
