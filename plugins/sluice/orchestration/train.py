"""The training DAG: freeze the validated rows, search, and register a candidate."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param

from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients, specs
from sluice.orchestration.steps import common, cron, reason, step
from sluice.settings import settings

DOC = """
Makes a candidate from the validated rows; the promotion DAG then judges it.

1. `take_snapshot` freezes the rows as an immutable file. The same rows are the same snapshot.
2. `search` tries families and hyper-parameters by cross-validation (Optuna). Its study lives in Postgres:
   a search that was killed, or is asked for again, goes on with the trials it has.
3. `register_candidate` fits the best on the training rows, writes its release bundle, logs everything to MLflow,
   and points the alias `candidate` to the new version. A model that is equal to the byte is judged all the same.
"""

log = logging.getLogger(__name__)


def train_dag(use_case: UseCase) -> DAG:
    """The training DAG of a use case; by its schedule, or by hand."""
    params = {
        "trials": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=10_000,
            title="Trials",
            description=f"How many proposals are tried. Empty: {use_case.training.trials}, as the spec says.",
        ),
        "reason": reason("Kept on the model version."),
    }
    hours = 1 + use_case.training.time_limit_minutes / 60
    options = common(use_case, "train", DOC, hours=hours)
    with DAG(**options, schedule=cron(use_case.schedule.train), params=params) as dag:
        name = use_case.name
        snapshot = step(take_snapshot, minutes=15)(name)
        study = step(search, minutes=10 + use_case.training.time_limit_minutes)(name, snapshot)
        register = step(register_candidate, minutes=30, outlets=[assets.candidate(use_case)])
        study >> register(name, snapshot)
    return dag


def take_snapshot(name: str) -> str:
    """Freeze the validated rows of now."""
    from sluice.ingestion import tables
    from sluice.training import snapshots

    use_case, warehouse = specs.use_case(name), clients.warehouse()
    # A use case that was never ingested has too few rows, which is easier to act on than a table that is not there.
    tables.ensure(warehouse, use_case)
    return snapshots.take(warehouse, clients.store(), use_case).snapshot_id


def search(name: str, snapshot_id: str, *, params: dict[str, Any]) -> str:
    """Search until the budget is spent, and return the study's name."""
    from sluice.training import search as studies
    from sluice.training import snapshots

    use_case = specs.use_case(name)
    rows = snapshots.load(clients.store(), snapshots.get(clients.warehouse(), snapshot_id), use_case)
    with studies.storage(settings().optuna_dsn) as database:
        return studies.run(use_case, rows.train, snapshot_id, database, params["trials"]).study


def register_candidate(name: str, snapshot_id: str, *, params: dict[str, Any], outlet_events: Any) -> int:
    """Fit the best proposal, log it, and register it as the candidate."""
    from sluice.adapters.bundles import runtime_sha256
    from sluice.training import candidate, card, journal, snapshots
    from sluice.training import search as studies

    use_case, tracking, store = specs.use_case(name), clients.tracking(), clients.store()
    snapshot = snapshots.get(clients.warehouse(), snapshot_id)
    rows = snapshots.load(store, snapshot, use_case)
    with studies.storage(settings().optuna_dsn) as database:
        result = studies.read(use_case, snapshot_id, database)
    runtime = runtime_sha256(settings().service)
    with tempfile.TemporaryDirectory(prefix="sluice-candidate-") as folder:
        with journal.begin(tracking, use_case, snapshot) as entry:
            made = candidate.make(use_case, rows, result.best, entry.lineage, runtime, Path(folder))
            entry.write(made, snapshot, result)
        tags = card.tags(made, params["reason"])
        version = tracking.register(name, entry.run_id, tags, card.description(made, snapshot, result))
    tracking.point(name, "candidate", version.number)
    outlet_events[assets.candidate(use_case)].extra = {"version": version.number, "snapshot_id": snapshot_id}
    log.info("version %d is the candidate: %s", version.number, made.metrics)
    return version.number
