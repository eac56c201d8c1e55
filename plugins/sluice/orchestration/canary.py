"""The canary DAG: watch a challenger, let it take over or withdraw it, see the outcome live."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, BaseSensorOperator, Context, PokeReturnValue, chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import StateError
from sluice.domain.evidence import Subject
from sluice.domain.release import Release
from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients, notices, specs
from sluice.orchestration.steps import common, failing_at_once, reason, step

DOC = """
Watches a new release that answers a share of the traffic, and lets it take over or withdraws it.

1. `pick` names the canary: the one that runs, or the last one.
2. `watch` looks every few seconds: failures, latency and predictions of the challenger beside the champion's. It gives
   the next share, or withdraws at once what is beyond doubt worse. What could not be told is never a step further.
3. `conclude` promotes. Of a canary that withdrew itself it fails with the reason, so that people hear of it by mail:
   the champion goes on serving. One that a person ended, as a rollback does, ends quietly.
4. `confirm_live` waits until every process serves the new champion.

All that is known is in `ml.canaries`, `ml.canary_looks` and `ml.deployments`: a watch that is ended in the middle goes
on where it was when the DAG is triggered again. To end a canary, trigger the rollback DAG.
"""

#: Seconds between two looks.
EVERY = 5.0
#: Beyond the policy's own limit, after which nobody watches any more.
SPARE_HOURS = 1.0

log = logging.getLogger(__name__)


def canary_dag(use_case: UseCase) -> DAG | None:
    """The canary DAG of a use case whose spec asks for one; started by its challenger asset or by hand."""
    policy = use_case.serving.canary
    if policy is None:
        return None
    hours = policy.max_hours + SPARE_HOURS
    params = {"reason": reason("Kept in Airflow alone; the ledger holds what the canary itself says.")}
    with DAG(
        **common(use_case, "canary", DOC, hours=hours + SPARE_HOURS),
        schedule=[assets.challenger(use_case)],
        params=params,
    ) as dag:
        name = use_case.name
        picked = step(pick, minutes=5)(name)
        watched = Watch(
            name=name,
            task_id="watch",
            mode="reschedule",
            poke_interval=EVERY,
            timeout=hours * 3600,
            execution_timeout=timedelta(minutes=5),
        )
        release = step(conclude, minutes=5)(name, picked, watched.output)
        live = step(confirm_live, minutes=5, outlets=[assets.champion(use_case)])(release)
        chain(picked, watched, release, live)
    return dag


def obstacle(subject: Subject, release: Release) -> str | None:
    """Why a release takes all of the traffic at once; None where it can take it little by little."""
    from sluice.release import ledger

    if specs.use_case(subject.use_case).serving.canary is None:
        return "the spec asks for no canary"
    if subject.champion_version is None:
        return "there is no champion beside which it could be tried"
    if subject.champion_version == subject.version:
        return "it serves already"
    known = {each.release.version: each.release for each in ledger.published(clients.warehouse(), subject.use_case)}
    champion = known.get(subject.champion_version)
    # One process answers with both, and runs one serving code.
    if champion is None or champion.runtime_sha256 != release.runtime_sha256:
        return f"version {subject.champion_version} runs on other serving code"
    return None


def pick(name: str) -> int:
    """Name the canary that runs, or the last one."""
    from sluice.release import canary

    rollout = canary.newest(clients.warehouse(), name)
    if rollout is None:
        raise StateError(f"{name} never had a canary", "ml.canaries", f"{name}_promote begins them")
    log.info("canary %s: version %s beside version %s", rollout.canary_id, rollout.version, rollout.champion_version)
    return rollout.canary_id


class Watch(BaseSensorOperator):
    """Looks, does what follows, and ends when there is nothing left to watch; between looks it holds no slot.

    Args:
        name: Whose canary.
        **options: Airflow's own.
    """

    def __init__(self, *, name: str, **options: Any) -> None:
        super().__init__(**options)
        self.name = name

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        return failing_at_once(watch)(self.name)


def watch(name: str) -> PokeReturnValue:
    """Look once and do what follows; over when nothing is left to watch, with the last look's words."""
    from sluice.release.watch import pursue

    verdict = pursue(clients.warehouse(), clients.tracking(), name, datetime.now(UTC))
    log.info("%s: %s", verdict.code, verdict.message)
    over = verdict.code in ("promote", "over") or verdict.withdraws
    return PokeReturnValue(is_done=over, xcom_value=verdict.message if over else None)


def conclude(name: str, canary_id: int, message: str | None, *, run_id: str) -> dict[str, Any]:
    """Promote what nothing speaks against; say of what was withdrawn by whom and why."""
    from dataclasses import asdict

    from sluice.release import canary, ledger

    warehouse, tracking = clients.warehouse(), clients.tracking()
    rollout = canary.newest(warehouse, name)
    if rollout is None or rollout.canary_id != canary_id:
        raise AirflowSkipException(f"canary {canary_id} is over, and another one follows")
    if rollout.state == "withdrawn":
        who = canary.withdrawn_by(warehouse, rollout)
        if who != canary.ACTOR:
            raise AirflowSkipException(f"{who} withdrew version {rollout.version}: {rollout.reason}")
        notices.withdrawn(name, rollout.version, rollout.champion_version, rollout.reason or "", run_id)
        raise StateError(
            f"version {rollout.version} of {name} was withdrawn, {rollout.reason}",
            f"ml.canaries {canary_id}",
            f"version {rollout.champion_version} goes on serving; mend what is named and train again",
        )
    if rollout.state == "running":
        if message is None:
            raise StateError("nobody has watched it to its end", "watch", "clear it: marking it as done is no answer")
        canary.promote(warehouse, tracking, clients.store(), rollout, message)
    return asdict(next(r.release for r in ledger.published(warehouse, name) if r.release.version == rollout.version))


def confirm_live(release: dict[str, Any]) -> int:
    """Wait until every process serves the new champion."""
    from sluice.release import deployments

    processes = deployments.await_live(clients.warehouse(), Release(**release), timedelta(seconds=60))
    log.info("live in %s processes", processes)
    return processes
