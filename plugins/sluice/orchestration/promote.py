"""The promotion DAG: judge a candidate, build its release, query it, decide, deploy, see it live."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import BundleError, StateError
from sluice.domain.evidence import Subject, decide
from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients, specs
from sluice.orchestration.bundles import downloaded
from sluice.orchestration.steps import common, reason, step
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.adapters.bundles import Bundle

DOC = """
Decides whether a candidate may serve, and lets it serve.

1. `pick` names the version and the champion it is compared with.
2. `judge_quality`: is it **good enough**? Thresholds, slices, fairness, and the change against the champion, on
   held-out rows.
3. `build_release` and `judge_servability`: is it **servable**? The bento is built, started and queried.
4. `decide` needs both blessings. What could not be told is never a yes: then the run fails and mails.
5. `deploy` moves the alias; `confirm_live` waits until every replica serves the new version.

A rejected candidate ends in a successful run whose `deploy` is skipped: the champion goes on serving.
Decisions with their evidence are in `ml.decisions`, deployments in `ml.deployments`.
To judge a version again, trigger the DAG with its number.
"""

log = logging.getLogger(__name__)


def promote_dag(use_case: UseCase) -> DAG:
    """The promotion DAG of a use case; started by its candidate asset or by hand."""
    params = {
        "version": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version",
            description="The model version to judge. Empty: the one that was registered last.",
        ),
        "reason": reason("Kept in the deployments ledger."),
    }
    with DAG(**common(use_case, "promote", DOC, hours=1), schedule=[assets.candidate(use_case)], params=params) as dag:
        name = use_case.name
        subject = step(pick, minutes=5)(name)
        quality = step(judge_quality, minutes=15)(name, subject)
        release = step(build_release, minutes=10)(name, subject, quality)
        servability = step(judge_servability, minutes=10)(name, subject, release)
        decision = step(decide_promotion, minutes=5, trigger_rule="all_done")(name, subject)
        deployed = step(deploy, minutes=5)(name, subject, release, decision)
        live = step(confirm_live, minutes=5, outlets=[assets.champion(use_case)])(release)
        chain(subject, quality, release, servability, decision, deployed, live)
    return dag


def pick(name: str, *, params: dict[str, Any], triggering_asset_events: Any) -> dict[str, Any]:
    """Name the version to judge and the champion it is compared with, by their bundles' digests."""
    from sluice.release import deployments

    tracking = clients.tracking()
    number = params["version"] or _announced(triggering_asset_events)
    candidate = tracking.version(name, number) if number else tracking.aliased(name, "candidate")
    if candidate is None:
        raise StateError(f"{name} has no candidate", "the model registry", f"run {name}_train first")
    champion = tracking.aliased(name, "champion")
    if champion is None and (serving := deployments.deployed(clients.warehouse(), name)):
        raise StateError(
            f"the ledger says that version {serving} of {name} serves, and the registry names no champion",
            "the model registry",
            f"point the alias `champion` to version {serving} again; a champion that is lost is no first release",
        )
    subject = Subject(
        use_case=name,
        version=candidate.number,
        bundle_sha256=candidate.tags.get("bundle_sha256", ""),
        champion_version=champion.number if champion else None,
        champion_bundle_sha256=champion.tags.get("bundle_sha256", "") if champion else None,
    )
    log.info("judging version %s against champion %s", subject.version, subject.champion_version)
    return subject.model_dump()


def _announced(events: Any) -> int | None:
    """The version that the newest asset event speaks of."""
    versions = [event.extra.get("version") for group in (events or {}).values() for event in group]
    return max((int(v) for v in versions if v is not None), default=None)


def judge_quality(name: str, subject: dict[str, Any], *, run_id: str) -> bool:
    """Gather the evidence of the first blessing, and say whether it is given."""
    from sluice.gate import decision, quality

    about = Subject(**subject)
    use_case = specs.use_case(name)
    warehouse = clients.warehouse()
    decision.discard_evidence(warehouse, name, run_id, "good_enough", "servable")
    with _candidate(about) as candidate, _champion(about) as champion:
        rows = quality.held_out_rows(warehouse, use_case)
        evidence = quality.judge(use_case, about, candidate, champion, rows)
    decision.store_evidence(warehouse, run_id, evidence)
    clients.tracking().measure(candidate.contract.lineage.run_id, {f"gate_{k}": v for k, v in evidence.metrics.items()})
    for check in evidence.checks:
        log.info("%s: %s: %s", check.verdict, check.code, check.message)
    for note in evidence.notes:
        log.info("note: %s", note)
    return all(c.verdict == "pass" for c in evidence.checks)


def build_release(name: str, subject: dict[str, Any], good_enough: bool, *, run_id: str) -> dict[str, Any]:
    """Build the bento of a candidate that is good enough."""
    from dataclasses import asdict

    from sluice.gate import decision
    from sluice.release import bento

    decision.discard_evidence(clients.warehouse(), name, run_id, "servable")
    if not good_enough:
        raise AirflowSkipException("the candidate is not good enough, so there is nothing to build")
    about = Subject(**subject)
    with _candidate(about) as candidate:
        release = bento.build(settings().service, candidate, about.version, settings().bento_store)
    log.info("built %s at %s", release.bento, release.bento_path)
    return asdict(release)


def judge_servability(name: str, subject: dict[str, Any], release: dict[str, Any], *, run_id: str) -> None:
    """Start the release and gather the evidence of the second blessing."""
    from sluice.domain.release import Release
    from sluice.gate import decision, servability
    from sluice.release.process import started

    about = Subject(**subject)
    budget = specs.use_case(name).gate.servable
    with (
        _candidate(about) as candidate,
        started(Release(**release), budget.ready_seconds) as running,
    ):
        evidence = servability.judge(budget, about, running, candidate.contract, candidate.golden)
    decision.store_evidence(clients.warehouse(), run_id, evidence)
    for check in evidence.checks:
        log.info("%s: %s: %s", check.verdict, check.code, check.message)


def decide_promotion(name: str, subject: dict[str, Any] | None, *, run_id: str) -> dict[str, Any]:
    """Decide on the evidence of this run, and keep the decision."""
    from sluice.gate import decision

    if subject is None:
        raise StateError("no version was picked, so there is nothing to decide", action="see the log of `pick`")
    about = Subject(**subject)
    warehouse = clients.warehouse()
    evidence = decision.read_evidence(warehouse, name, run_id)
    decided = decide(about, evidence)
    number = decision.store_decision(warehouse, run_id, about, decided, evidence)
    log.info("%s: %s", decided.code, decided.message)
    if decided.code.startswith("undecided"):
        raise StateError(
            f"{decided.code}: {decided.message}", f"ml.decisions {number}", "mend the cause, promote again"
        )
    return {"decision_id": number, **decided.model_dump()}


def deploy(
    name: str,
    subject: dict[str, Any],
    release: dict[str, Any] | None,
    decision: dict[str, Any],
    *,
    params: dict[str, Any],
) -> int:
    """Publish the release and make it the champion."""
    from sluice.domain.release import Release
    from sluice.release import deployments

    if decision["code"] != "promote":
        raise AirflowSkipException(f"{decision['code']}: the champion goes on serving. {decision['message']}")
    if release is None:
        raise StateError("there is no release to deploy", action="clear `build_release` and what follows it")
    about = Subject(**subject)
    order = deployments.Order(
        release=Release(**release),
        from_version=about.champion_version,
        decision_id=decision["decision_id"],
        actor="gate",
        reason=params["reason"] or decision["message"],
    )
    warehouse, store = clients.warehouse(), clients.store()
    with _candidate(about) as bundle:
        deployments.publish(warehouse, store, order.release, bundle.folder)
    return deployments.deploy(warehouse, clients.tracking(), store, order)


def confirm_live(release: dict[str, Any]) -> int:
    """Wait until every replica serves the new champion."""
    from sluice.domain.release import Release
    from sluice.release import deployments

    replicas = deployments.await_live(clients.warehouse(), Release(**release), timedelta(seconds=60))
    log.info("live on %s replicas", replicas)
    return replicas


@contextmanager
def _candidate(subject: Subject) -> Iterator[Bundle]:
    """The bundle that is judged."""
    tracking = clients.tracking()
    with downloaded(tracking, tracking.version(subject.use_case, subject.version)) as bundle:
        yield _spoken_of(bundle, subject.bundle_sha256)


@contextmanager
def _champion(subject: Subject) -> Iterator[Bundle | None]:
    """The champion's bundle, or none where there is no champion."""
    if subject.champion_version is None:
        yield None
        return
    tracking = clients.tracking()
    with downloaded(tracking, tracking.version(subject.use_case, subject.champion_version)) as bundle:
        yield _spoken_of(bundle, subject.champion_bundle_sha256)


def _spoken_of(bundle: Bundle, sha256: str | None) -> Bundle:
    """The bundle, if it is still the one that this run began with."""
    if bundle.sha256 != sha256:
        raise BundleError(f"the bundle changed meanwhile, from {sha256}", bundle.sha256, "promote again")
    return bundle
