"""The promotion DAG: judge a candidate, build its release, query it, decide, deploy, see it live."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import StateError
from sluice.domain.evidence import Subject, decide
from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients, judging, specs
from sluice.orchestration import canary as canaries
from sluice.orchestration.steps import common, reason, step

if TYPE_CHECKING:
    from sluice.release.deployments import Order

DOC = """
Decides whether a candidate may serve, and lets it serve.

1. `pick` names the version and the champion it is compared with.
2. `judge_quality`: is it **good enough**? Thresholds, slices, fairness, and the change against the champion, on
   held-out rows.
3. `build_release` and `judge_servability`: is it **servable**? The bento, and its image where a container engine is
   configured, is built, started, queried and stopped.
4. `decide` needs both blessings. What could not be told is never a yes: then the run fails and mails.
5. `begin_canary`, where the spec asks for one: the release gets its first share of the traffic, and the canary DAG does
   the rest.
6. Otherwise `deploy` moves the alias; `confirm_live` waits until every replica serves the new version.

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
        quality = step(judging.judge_quality, minutes=15)(name, subject)
        release = step(judging.build_release, minutes=10)(name, subject, quality)
        servability = step(judging.judge_servability, minutes=10)(name, subject, release)
        decision = step(decide_promotion, minutes=5, trigger_rule="all_done")(name, subject)
        begun = step(begin_canary, minutes=5, outlets=[assets.challenger(use_case)])(subject, release, decision)
        deployed = step(deploy, minutes=5, trigger_rule="none_failed")(subject, release, decision, begun)
        live = step(confirm_live, minutes=5, outlets=[assets.champion(use_case)])(release)
        chain(subject, quality, release, servability, decision, begun, deployed, live)
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


def begin_canary(
    subject: dict[str, Any], release: dict[str, Any], decision: dict[str, Any], *, params: dict[str, Any]
) -> int:
    """Publish the release and give it its first share, where the spec asks for that and it can be done."""
    from sluice.release import canary

    order = _order(subject, release, decision, params)
    policy = specs.use_case(order.release.use_case).serving.canary
    why_not = canaries.obstacle(Subject(**subject), order.release)
    if why_not or policy is None:
        raise AirflowSkipException(f"all of the traffic at once: {why_not}")
    _publish(subject, order)
    return canary.begin(clients.warehouse(), clients.tracking(), order, policy)


def deploy(
    subject: dict[str, Any],
    release: dict[str, Any] | None,
    decision: dict[str, Any],
    canary_id: int | None,
    *,
    params: dict[str, Any],
) -> int:
    """Publish the release and make it the champion, unless a canary does that little by little."""
    from sluice.release import deployments

    if canary_id is not None:
        raise AirflowSkipException(f"canary {canary_id} has begun, and the canary DAG watches it")
    order = _order(subject, release, decision, params)
    why = canaries.obstacle(Subject(**subject), order.release)
    order = replace(order, reason=f"{order.reason} (all of the traffic at once: {why})")
    _publish(subject, order)
    return deployments.deploy(clients.warehouse(), clients.tracking(), clients.store(), order)


def _order(
    subject: dict[str, Any], release: dict[str, Any] | None, decision: dict[str, Any], params: dict[str, Any]
) -> Order:
    """What was decided, as an order to carry it out."""
    from sluice.domain.release import Release
    from sluice.release.deployments import Order

    if decision["code"] != "promote":
        raise AirflowSkipException(f"{decision['code']}: the champion goes on serving. {decision['message']}")
    if release is None:
        raise StateError("there is no release to deploy", action="clear `build_release` and what follows it")
    return Order(
        release=Release(**release),
        from_version=Subject(**subject).champion_version,
        decision_id=decision["decision_id"],
        actor="gate",
        reason=params["reason"] or decision["message"],
    )


def _publish(subject: dict[str, Any], order: Order) -> None:
    from sluice.release import deployments

    with judging.candidate(Subject(**subject)) as bundle:
        deployments.publish(clients.warehouse(), clients.store(), order.release, bundle.folder)


def confirm_live(release: dict[str, Any]) -> int:
    """Wait until every replica serves the new champion."""
    from sluice.domain.release import Release
    from sluice.release import deployments

    replicas = deployments.await_live(clients.warehouse(), Release(**release), timedelta(seconds=60))
    log.info("live on %s replicas", replicas)
    return replicas
