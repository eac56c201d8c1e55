"""The training DAG: freeze the validated rows, search, and register a candidate."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients, specs
from sluice.orchestration.steps import common, cron, reason, step
from sluice.settings import settings

DOC = """
Makes a candidate from the validated rows; the promotion DAG then judges it.

1. `take_snapshot` freezes the rows as an immutable file. The same rows are the same snapshot. With the id of an
   earlier snapshot, that one is trained on again, with no other stage.
2. `recognise` looks for a version that was made from the same snapshot, spec and code with as many trials. If there
   is one, it is the candidate once more, and steps 3 and 4 are skipped; `again` forbids this.
3. `open_study` settles what the spec leaves to the training rows (imputation, clusters), once for all trials.
4. `search` tries families and hyper-parameters by cross-validation (Optuna), in several processes. Its study lives
   in Postgres: a search that was killed, or is asked for again, goes on with the trials it has.
5. `register_candidate` fits the best on the training rows, writes its release bundle, logs everything to MLflow,
   and points the alias `candidate` to the new version. A model that is equal to the byte is judged all the same.
"""

log = logging.getLogger(__name__)


def train_dag(use_case: UseCase) -> DAG:
    """The training DAG of a use case; by its schedule, or by hand."""
    limit = use_case.training.time_limit_minutes
    options = common(use_case, "train", DOC, hours=1.5 + limit / 60)
    with DAG(**options, schedule=cron(use_case.schedule.train), params=_params(use_case)) as dag:
        name = use_case.name
        snapshot = step(take_snapshot, minutes=15)(name)
        known = step(recognise, minutes=5)(name, snapshot)
        study = step(open_study, minutes=30)(name, snapshot, known)
        # As many processes as the settings say when the DAG is parsed; each can be seen and cleared by itself.
        workers = list(range(1, settings().search_workers + 1))
        mapped: Any = step(search, minutes=10 + limit)
        searched = mapped.partial(name=name, snapshot_id=snapshot).expand(worker=workers)
        # A search that is not needed is skipped, and its version is a candidate all the same.
        register = step(
            register_candidate, minutes=30, trigger_rule="none_failed", outlets=[assets.candidate(use_case)]
        )
        chain(study, searched, register(name, snapshot, known))
    return dag


def _params(use_case: UseCase) -> dict[str, Param]:
    return {
        "trials": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            maximum=10_000,
            title="Trials",
            description=f"How many proposals are tried. Empty: {use_case.training.trials}, as the spec says.",
        ),
        "snapshot": Param(
            None,
            type=["null", "string"],
            title="Snapshot",
            description="The id of an earlier snapshot to train on. Empty: the validated rows of now.",
        ),
        "again": Param(
            False,
            type="boolean",
            title="Again",
            description="Make a new version although neither rows nor spec nor code have changed since the last one. "
            "Trials that are finished are not repeated.",
        ),
        "reason": reason("Kept on the model version."),
    }


def take_snapshot(name: str, *, params: dict[str, Any]) -> str:
    """Freeze the validated rows of now, or find the earlier snapshot that is asked for."""
    from sluice.ingestion import tables
    from sluice.training import recall, snapshots

    use_case, warehouse, store = specs.use_case(name), clients.warehouse(), clients.store()
    # A use case that was never ingested has too few rows, which is easier to act on than a table that is not there.
    tables.ensure(warehouse, use_case)
    if (params["snapshot"] or "").strip():
        return recall.recall(warehouse, store, use_case, params["snapshot"]).snapshot_id
    return snapshots.take(warehouse, store, use_case).snapshot_id


def recognise(name: str, snapshot_id: str, *, params: dict[str, Any]) -> int | None:
    """The version that this training would make once more; none where there is none, or where it is wanted again."""
    from sluice.adapters.bundles import runtime_sha256
    from sluice.training import provenance

    if params["again"]:
        return None
    use_case = specs.use_case(name)
    made_alike = provenance.tags(use_case, snapshot_id, runtime_sha256(settings().service))
    version = clients.tracking().found(name, made_alike)
    if version is None or int(version.tags.get("trials", 0)) < (params["trials"] or use_case.training.trials):
        return None
    log.info(
        "version %d was made from the same rows, spec and code with %s trials: it is the candidate once more. "
        "To make a new one, trigger the DAG with `again`.",
        version.number,
        version.tags["trials"],
    )
    return version.number


def open_study(name: str, snapshot_id: str, known: int | None) -> str:
    """Settle what the training rows decide, and return the name of the study that keeps it and the trials."""
    from sluice.training import search as searching
    from sluice.training import snapshots, studies
    from sluice.training.choices import choose

    if known is not None:
        raise AirflowSkipException(f"version {known} was made alike, so there is nothing to search")
    use_case = specs.use_case(name)
    with studies.storage(settings().optuna_dsn) as database:
        study = studies.find(use_case, snapshot_id, database)
        if study is None:
            rows = snapshots.load(clients.store(), snapshots.get(clients.warehouse(), snapshot_id), use_case)
            study = searching.open_study(use_case, snapshot_id, database, choose(use_case, rows.train))
    for note in study.findings.notes:
        log.info("%s", note)
    return study.name


def search(name: str, snapshot_id: str, worker: int, *, params: dict[str, Any]) -> int:
    """Try proposals, as one of several workers, until the budget is spent; return how many are finished."""
    from sluice.training import search as searching
    from sluice.training import snapshots, studies

    use_case = specs.use_case(name)
    rows = snapshots.load(clients.store(), snapshots.get(clients.warehouse(), snapshot_id), use_case)
    log.info("worker %d", worker)
    with studies.storage(settings().optuna_dsn) as database:
        study = studies.get(use_case, snapshot_id, database)
        return searching.run(use_case, rows.train, study, params["trials"])


def register_candidate(
    name: str, snapshot_id: str, known: int | None, *, params: dict[str, Any], outlet_events: Any
) -> int:
    """Make the candidate, or take the version that was made alike; let the promotion know."""
    use_case, tracking = specs.use_case(name), clients.tracking()
    number = _made(use_case, snapshot_id, params["reason"]) if known is None else known
    tracking.point(name, "candidate", number)
    outlet_events[assets.candidate(use_case)].extra = {"version": number, "snapshot_id": snapshot_id}
    log.info("version %d is the candidate", number)
    return number


def _made(use_case: UseCase, snapshot_id: str, why: str | None) -> int:
    """Fit the best proposal, log it, and register it."""
    from sluice.adapters.bundles import runtime_sha256
    from sluice.training import candidate, snapshots, studies
    from sluice.training import search as searching
    from sluice.training.evidence import card, journal

    tracking, store = clients.tracking(), clients.store()
    snapshot = snapshots.get(clients.warehouse(), snapshot_id)
    rows = snapshots.load(store, snapshot, use_case)
    with studies.storage(settings().optuna_dsn) as database:
        result = searching.read(use_case, snapshot_id, database)
    runtime = runtime_sha256(settings().service)
    with tempfile.TemporaryDirectory(prefix="sluice-candidate-") as folder:
        with journal.begin(tracking, use_case, snapshot, begun=result.attempts[0].begun) as entry:
            made = candidate.make(use_case, rows, result.choices, result.best, entry.lineage, runtime, Path(folder))
            entry.write(made, snapshot, result)
        version = tracking.register(
            use_case.name, entry.run_id, card.tags(made, result, why), card.description(made, snapshot, result)
        )
    log.info("registered: %s", made.metrics)
    return version.number
