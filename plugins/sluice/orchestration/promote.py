"""The promotion DAG: judge a candidate, build its release, query it, decide, ask, deploy, see it live."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import StateError
from sluice.domain.evidence import Subject, decide, rule
from sluice.domain.use_case import UseCase
from sluice.orchestration import approval, assets, clients, judging, notices, specs
from sluice.orchestration import canary as canaries
from sluice.orchestration.steps import common, reason, step
from sluice.settings import settings

if TYPE_CHECKING:
    from sluice.release.deployments import Order

DOC = """
Decides whether a candidate may serve, and lets it serve.

1. `pick` names the version and the champion it is compared with.
2. `judge_quality`: is it **good enough**? Thresholds, slices, fairness, and the change against the champion, on
   held-out rows.
3. `build_release` and `judge_servability`: is it **servable**? The bento, and its image where a container engine is
   configured, is built, started, queried and stopped.
4. `decide_promotion` needs both blessings. What could not be told is never a yes: then the run fails.
   What is not promoted is mailed, unless nothing had changed.
   `report_decision` makes the decision's page: **Report** under the task's Details opens it, and MLflow keeps it with
   the candidate's run. Where the page cannot be made the run fails, and the decision stands and is carried out.
5. `ask_approval`, where the spec says `approval: required`, waits for a person's yes to what passed; see **Required
   Actions**. `record_ruling` keeps who said what, and why. No answer in time is a no.
6. `begin_canary`, where the spec asks for one: the release gets its first share of the traffic, and the canary DAG does
   the rest.
7. Otherwise `deploy` moves the alias; `confirm_live` waits until every replica serves the new version.

A rejected or refused candidate ends in a successful run whose `deploy` is skipped: the champion goes on serving.
Decisions with their evidence are in `ml.decisions`, where `begin_canary` and `deploy` read them; deployments are in
`ml.deployments`.
To judge a version again, trigger the DAG with its number. `force`, with a reason, promotes a version that is not good
enough in the name of whom triggers the run, never one that is not servable or could not be told about.
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
        "force": Param(
            False,
            type="boolean",
            title="Force",
            description="Promote this version although it is not good enough. Needs a version and a reason.",
        ),
        "reason": reason("Kept in the deployments ledger and, where you force, with your name among the decisions."),
    }
    asks = use_case.gate.approval == "required"
    hours = 1 + (use_case.gate.approval_hours if asks else 0)
    with DAG(
        **common(use_case, "promote", DOC, hours=hours), schedule=[assets.candidate(use_case)], params=params
    ) as dag:
        name, queue = use_case.name, settings().build_queue
        subject = step(pick, minutes=5)(name)
        quality = step(judging.judge_quality, minutes=15)(name, subject)
        release = step(judging.build_release, minutes=10, queue=queue)(name, subject, quality)
        servability = step(judging.judge_servability, minutes=10, queue=queue)(name, subject, release)
        decision = step(decide_promotion, minutes=5, trigger_rule="all_done")(name, subject)
        chain(decision, step(report_decision, minutes=5, trigger_rule="all_done")(name))
        settled = approval.approval(use_case, subject, decision) if asks else decision
        if asks:
            chain(settled, step(report_decision, minutes=5, trigger_rule="none_skipped", task_id="report_ruling")(name))
        # They run after a question that needed no answer, too; whether they may, the ledger says.
        challenger = [assets.challenger(use_case)]
        begun = step(begin_canary, minutes=5, trigger_rule="none_failed", outlets=challenger)(subject, release)
        deployed = step(deploy, minutes=5, trigger_rule="none_failed")(subject, release, begun)
        live = step(confirm_live, minutes=5, outlets=[assets.champion(use_case)])(release)
        chain(subject, quality, release, servability, decision)
        chain(settled, begun, deployed, live)
    return dag


def pick(name: str, *, params: dict[str, Any], dag_run: Any, triggering_asset_events: Any) -> dict[str, Any]:
    """Name the version to judge and the champion it is compared with, by their bundles' digests."""
    from sluice.release import deployments

    if ruling := approval.forced(params, dag_run):
        log.info("%s forces version %s: %s", ruling.actor, params["version"], ruling.reason)
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


def decide_promotion(
    name: str, subject: dict[str, Any] | None, *, run_id: str, params: dict[str, Any], dag_run: Any
) -> dict[str, Any]:
    """Decide on the evidence of this run, and keep the decision; then apply and keep what whoever forces it says."""
    from sluice.gate import decision

    if subject is None:
        raise StateError("no version was picked, so there is nothing to decide", action="see the log of `pick`")
    about = Subject(**subject)
    warehouse = clients.warehouse()
    evidence = decision.read_evidence(warehouse, name, run_id)
    decided = decide(about, evidence, specs.use_case(name).gate.approval)
    number = decision.store_decision(warehouse, run_id, about, decided, evidence)
    log.info("%s: %s", decided.code, decided.message)
    ruling = approval.forced(params, dag_run)
    if ruling and decided.code not in ("promote", "needs_approval"):
        decided = rule(about, evidence, decided, ruling)
        number = decision.store_decision(warehouse, run_id, about, decided, evidence, overrides=number)
        log.info("%s, by %s: %s", decided.code, decided.actor, decided.message)
    notices.decided(about, decided, run_id)
    if decided.code.startswith("undecided"):
        raise StateError(
            f"{decided.code}: {decided.message}", f"ml.decisions {number}", "mend the cause, promote again"
        )
    return {"decision_id": number, **decided.model_dump()}


def report_decision(name: str, *, run_id: str, ti: Any) -> None:
    """Make the page of what this run decided, for Airflow and for the candidate's run in MLflow."""
    from sluice.gate import decision, report
    from sluice.web import links

    entries = decision.decisions(clients.warehouse(), name, run_id)
    if not entries:
        raise AirflowSkipException("nothing was decided, so there is nothing to report")
    address, page = report.publish(clients.store(), specs.use_case(name), entries)
    links.show(ti, address)
    tracking = clients.tracking()
    run = tracking.version(name, entries[0].version).run_id
    tracking.attach(run, f"gate/decision-{address.name}.html", page)


def begin_canary(
    subject: dict[str, Any], release: dict[str, Any] | None, *, run_id: str, params: dict[str, Any]
) -> int:
    """Publish the release and give it its first share, where the spec asks for that and it can be done."""
    from sluice.release import canary

    order = _order(subject, release, run_id, params)
    policy = specs.use_case(order.release.use_case).serving.canary
    why_not = canaries.obstacle(Subject(**subject), order.release)
    if why_not or policy is None:
        raise AirflowSkipException(f"all of the traffic at once: {why_not}")
    _publish(subject, order)
    return canary.begin(clients.warehouse(), clients.tracking(), order, policy)


def deploy(
    subject: dict[str, Any],
    release: dict[str, Any] | None,
    canary_id: int | None,
    *,
    run_id: str,
    params: dict[str, Any],
) -> int:
    """Publish the release and make it the champion, unless a canary does that little by little."""
    from sluice.release import canary, deployments

    if canary_id is not None:
        raise AirflowSkipException(f"canary {canary_id} has begun, and the canary DAG watches it")
    order = _order(subject, release, run_id, params)
    if specs.use_case(order.release.use_case).serving.canary:
        why = canaries.obstacle(Subject(**subject), order.release)
        order = replace(order, reason=f"{order.reason} (all of the traffic at once: {why})")
    _publish(subject, order)
    warehouse, tracking, name = clients.warehouse(), clients.tracking(), order.release.use_case
    # One that was begun under an earlier spec, which nobody would end any more.
    overtaken = f"version {order.release.version} takes all of the traffic"
    if canary.withdraw(warehouse, tracking, name, order.actor, overtaken):
        log.info("the canary that ran is withdrawn: %s", overtaken)
    return deployments.deploy(warehouse, tracking, clients.store(), order)


def _order(subject: dict[str, Any], release: dict[str, Any] | None, run_id: str, params: dict[str, Any]) -> Order:
    """What the ledger says was decided last in this run, as an order to carry it out."""
    from sluice.domain.release import Release
    from sluice.gate.decision import decisions, read_evidence
    from sluice.release.deployments import Order

    about, warehouse = Subject(**subject), clients.warehouse()
    entries = decisions(warehouse, about.use_case, run_id)
    if not entries:
        raise StateError("nothing was decided in this run", "ml.decisions", "clear `decide_promotion`")
    entry, decided = entries[0], entries[0].decision
    if decided.code != "promote":
        raise AirflowSkipException(f"{decided.code}: the champion goes on serving. {decided.message}")
    if release is None:
        raise StateError("there is no release to deploy", action="clear `build_release` and what follows it")
    built = Release(**release)
    if {(each.version, each.bundle_sha256) for each in (about, built)} != {(entry.version, entry.bundle_sha256)}:
        raise StateError(
            f"decision {entry.decision_id} is about version {entry.version} with bundle {entry.bundle_sha256[:12]}, "
            f"and version {built.version} with bundle {built.bundle_sha256[:12]} was to be deployed",
            "ml.decisions",
            "promote again",
        )
    if read_evidence(warehouse, about.use_case, run_id) != entry.evidence:
        what = f"evidence was gathered anew since decision {entry.decision_id}"
        raise StateError(what, "ml.evidence", "clear `decide_promotion` and what follows it")
    return Order(
        release=built,
        from_version=entry.champion_version,
        decision_id=entry.decision_id,
        actor=decided.actor,
        reason=(params["reason"] if entry.is_of_the_gate else None) or decided.message,
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
