"""The stages of a replayed day, by the functions that the DAGs' tasks call: ingest, train, promote."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sluice.adapters.bundles import Bundle, runtime_sha256
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import BatchRejected
from sluice.domain.evidence import Decision, Subject, decide
from sluice.domain.use_case import UseCase


@dataclass(frozen=True)
class Place:
    """Where a replay takes place; all of it is its own.

    Attributes:
        warehouse: An empty one with the platform's tables.
        tracking: A model registry.
        store: Its object store.
        optuna_dsn: The database of the searches.
        service: Folder of the serving code.
        folder: On this machine; holds bundles, bentos and the day's file.
    """

    warehouse: Warehouse
    tracking: Tracking
    store: ObjectStore
    optuna_dsn: str
    service: Path
    folder: Path


@dataclass(frozen=True)
class Release:
    """A model version that was made.

    Attributes:
        version: Its number in the registry.
        bundle: Its bundle, on this machine.
        metrics: On train and test rows.
    """

    version: int
    bundle: Bundle
    metrics: dict[str, float]


def ingest(place: Place, use_case: UseCase, text: str, moment: datetime) -> tuple[bool, str]:
    """Land a day's file and judge it; return whether it counts, and why not.

    Args:
        place: Where.
        use_case: Whose rows.
        text: The file.
        moment: When it came, by the replay's clock.
    """
    from sluice.ingestion import acceptance, batches, sources

    warehouse, path = place.warehouse, place.folder / "extract.csv"
    path.write_text(text, encoding="utf-8")
    with sources.resolve(use_case, place.folder, str(path)) as source:
        batch = batches.land(warehouse, use_case, source)
    try:
        batch = acceptance.judge(warehouse, use_case, batch.batch_id)
        reason = ""
    except BatchRejected as error:
        reason = str(error)
    # The ledger's own clock is the machine's, by which all of the days are one.
    values = {"batch_id": batch.batch_id, "moment": moment}
    warehouse.execute(warehouse.statement("replay/backdate_batch"), values)
    return not reason, reason


def train(place: Place, use_case: UseCase, trials: int, reason: str) -> Release:
    """Make a candidate of the validated rows of now and point the alias `candidate` to it.

    Args:
        place: Where.
        use_case: What to train.
        trials: How many proposals are tried.
        reason: Kept on the version.

    Raises:
        SluiceError: There are too few rows, or no proposal can be fitted.
    """
    from sluice.training import candidate, search, snapshots, studies
    from sluice.training.choices import choose
    from sluice.training.evidence import card, journal

    snapshot = snapshots.take(place.warehouse, place.store, use_case)
    rows = snapshots.load(place.store, snapshot, use_case)
    with studies.storage(place.optuna_dsn) as database:
        study = studies.find(use_case, snapshot.snapshot_id, database)
        if study is None:
            findings = choose(use_case, rows.train)
            study = search.open_study(use_case, snapshot.snapshot_id, database, findings)
        search.run(use_case, rows.train, study, trials)
        result = search.read(use_case, snapshot.snapshot_id, database)
    with journal.begin(place.tracking, use_case, snapshot, begun=result.attempts[0].begun) as entry:
        # By its run, because a version has no number before it is registered.
        folder = place.folder / "bundles" / entry.run_id
        runtime = runtime_sha256(place.service)
        made = candidate.make(use_case, rows, result.choices, result.best, entry.lineage, runtime, folder)
        entry.write(made, snapshot, result)
    version = place.tracking.register(
        use_case.name, entry.run_id, card.tags(made, result, reason), card.description(made, snapshot, result)
    )
    place.tracking.point(use_case.name, "candidate", version.number)
    return Release(version.number, made.bundle, made.metrics)


def promote(place: Place, use_case: UseCase, candidate: Release, champion: Release | None, run_id: str) -> Decision:
    """Judge a candidate by both blessings, decide, and deploy what passed.

    The release is really built and started for the second blessing; where the spec asks for approval, nobody is there
    to give it, and the decision says so.

    Args:
        place: Where.
        use_case: Its policy.
        candidate: What is judged.
        champion: What serves; None before the first release.
        run_id: Names this promotion among the evidence.
    """
    from sluice.gate import decision, quality, rows, servability
    from sluice.release import bento, deployments, process
    from sluice.release.deployments import Order

    warehouse = place.warehouse
    subject = Subject(
        use_case=use_case.name,
        version=candidate.version,
        bundle_sha256=candidate.bundle.sha256,
        champion_version=champion.version if champion else None,
        champion_bundle_sha256=champion.bundle.sha256 if champion else None,
    )
    rival = champion.bundle if champion else None
    good = quality.judge(use_case, subject, candidate.bundle, rival, rows.read(warehouse, use_case))
    decision.store_evidence(warehouse, run_id, good)
    built = None
    if all(check.verdict == "pass" for check in good.checks):
        budget = use_case.gate.servable
        built = bento.build(place.service, candidate.bundle, candidate.version, place.folder / "bentos")
        with process.started(built, budget.ready_seconds, "a replay builds no image") as probe:
            contract, golden = candidate.bundle.contract, candidate.bundle.golden
            servable = servability.judge(budget, subject, probe.started, contract, golden, image=None, stop=probe.stop)
        decision.store_evidence(warehouse, run_id, servable)
    evidence = decision.read_evidence(warehouse, use_case.name, run_id)
    decided = decide(subject, evidence, use_case.gate.approval)
    number = decision.store_decision(warehouse, run_id, subject, decided, evidence)
    if decided.code == "promote" and built is not None:
        deployments.publish(warehouse, place.store, built, candidate.bundle.folder)
        before = champion.version if champion else None
        order = Order(built, before, number, decided.actor, decided.message)
        deployments.deploy(warehouse, place.tracking, place.store, order)
    return decided


def champion(place: Place, use_case: UseCase, known: tuple[Release, ...]) -> Release | None:
    """What serves, by the registry's alias; None before the first release.

    Args:
        place: Where.
        use_case: Whose.
        known: Everything that was made.
    """
    pointed = place.tracking.aliased(use_case.name, "champion")
    return next((each for each in known if pointed and each.version == pointed.number), None)
