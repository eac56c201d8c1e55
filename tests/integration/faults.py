"""Airflow DAGs of which each goes wrong in its own way; put into the folder of DAG files for one test.

Each goes wrong when it is triggered with a reason, and ends well without one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, chain

from sluice.domain.alert import Alert, Kind
from sluice.domain.errors import StateError
from sluice.domain.evidence import Decision, Subject
from sluice.domain.use_case import UseCase
from sluice.orchestration import alerts, notices, specs
from sluice.orchestration.deadlines import due
from sluice.orchestration.failures import Subject as Owner
from sluice.orchestration.steps import common, reason, step

OWNER = "tents"
DOC = "Goes wrong when it is triggered with a reason."


def fail(params: dict[str, Any]) -> None:
    """Print, and raise."""
    print("about to go wrong")
    if params["reason"]:
        raise ValueError("it went wrong")


def hang(params: dict[str, Any]) -> None:
    """Take longer than one may."""
    if params["reason"]:
        time.sleep(60)


def linger(params: dict[str, Any]) -> None:
    """Take longer than one should, and end well."""
    if params["reason"]:
        time.sleep(16)


def die(params: dict[str, Any]) -> None:
    """Be killed as by a lack of memory."""
    if params["reason"]:
        os.kill(os.getpid(), signal.SIGKILL)


def reject(params: dict[str, Any], run_id: str) -> None:
    """Decide against a candidate."""
    code = "reject:threshold.r2" if params["reason"] else "promote"
    notices.decided(_subject(), Decision(code=code, message="r2 is 0.4, at least 0.5 is needed"), run_id)


def doubt(params: dict[str, Any], dag: Any, run_id: str) -> None:
    """Go wrong for a reason that is known more precisely."""
    _tell("retraining", alerts.occasion(dag.dag_id, run_id), params)
    if params["reason"]:
        raise StateError("it is as was told already")


def call(run_id: str) -> None:
    """Call people to a question."""
    notices.waiting("May it serve?", OWNER, "question", run_id, "ask_approval", 5)


def drift(params: dict[str, Any]) -> None:
    """See something drift, and be as it was."""
    _tell("drift", "", params)


def quality(params: dict[str, Any]) -> None:
    """See data of another quality."""
    _tell("quality", "", params)


def performance(params: dict[str, Any]) -> None:
    """See a release do worse than it promised."""
    _tell("performance", "", params)


def _tell(kind: Kind, occasion: str, params: dict[str, Any]) -> None:
    alert = Alert(
        cause=f"{kind}:{OWNER}",
        use_case=OWNER,
        stage=kind,
        kind=kind,
        headline="median_income",
        error="median_income moved by 0.4",
        occasion=occasion,
    )
    if params["reason"]:
        alerts.raise_alert(alert)
    else:
        alerts.heal(alert.cause)


def _subject() -> Subject:
    return Subject(
        use_case=OWNER, version=4, bundle_sha256="4" * 64, champion_version=None, champion_bundle_sha256=None
    )


def made(use_case: UseCase, name: str, **options: Any) -> DAG:
    """A DAG like a stage's, without a second try."""
    shared = common(use_case, name, DOC, hours=1)
    shared["default_args"]["retries"] = 0
    return DAG(**{**shared, **options}, schedule=None, params={"reason": reason("What it is to go wrong for.")})


def build(use_case: UseCase) -> None:
    """All of them."""
    alone: tuple[Callable[..., None], ...] = (fail, die, reject, doubt, drift, quality, performance)
    for function in alone:
        with made(use_case, function.__name__):
            step(function, minutes=5)()
    with made(use_case, "hang"):
        step(hang, minutes=0.03)()
    with made(use_case, "overrun", dagrun_timeout=timedelta(seconds=15)):
        step(hang, minutes=5)()
    with made(use_case, "linger", deadline=due(Owner(OWNER, "linger"), timedelta(seconds=12))):
        step(linger, minutes=5)()
    with made(use_case, "several"):
        # Two at once, two mapped ones, and one that runs whatever happened before.
        mapped: Any = step(fail, minutes=5, task_id="mapped")
        first = [step(fail, minutes=5, task_id="left")(), mapped.partial().expand_kwargs([{}, {}])]
        chain(first, step(fail, minutes=5, trigger_rule="all_done", task_id="last")())
    with made(use_case, "question"):
        asked = HITLOperator(task_id="ask_approval", subject="May it serve?", options=["Approve", "Reject"])
        chain(step(call, minutes=5)(), asked)


for each in specs.use_cases():
    if each.name == OWNER:
        build(each)
