"""Responding: what follows the checks of a monitoring run: a mail, a question to a person, or a training."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.alert import Alert, Kind
from sluice.domain.errors import StateError
from sluice.domain.monitoring import Response
from sluice.domain.use_case import UseCase
from sluice.orchestration import alerts, clients, notices, specs
from sluice.orchestration.failures import question
from sluice.orchestration.steps import reason, step

if TYPE_CHECKING:
    from sluice.monitoring.ledger import Checked, Given, Said

YES, NO = "Retrain", "Leave it"
NO_REASON = "no reason given"
NOBODY = "nobody"
ANSWER = "answer_reason"
ASK = "ask_retraining"

#: A question is over before the next day's checks, which wait for it; the day after, it is asked again.
MOST_HOURS = 20.0

#: What each kind of check is told as.
KINDS: dict[str, Kind] = {"drift": "drift", "quality": "quality", "performance": "performance"}

log = logging.getLogger(__name__)


def hours(use_case: UseCase) -> float:
    """How long a run may wait for a person."""
    return min(use_case.gate.approval_hours, MOST_HOURS) if "approval" in _wanted(use_case) else 0.0


def responses(use_case: UseCase, checks: Sequence[Any]) -> None:
    """The steps that follow the checks, as far as the spec's policy can lead to them.

    Args:
        use_case: Its `monitoring` says what may follow.
        checks: The steps before; that one has failed keeps no response back.
    """
    wanted, name = _wanted(use_case), use_case.name
    steps: list[Any] = [step(respond, minutes=5, trigger_rule="all_done")(name)]
    if "approval" in wanted:
        asked = step(compose_question, minutes=5)(name)
        answer = HITLOperator(
            task_id=ASK,
            subject=_subject(use_case),
            body=asked,
            options=[YES, NO],
            defaults=NO,
            # Not `reason`: Airflow would fill in what the run was started for.
            params={ANSWER: reason("Why; kept with your name in monitoring.responses.")},
            response_timeout=timedelta(hours=hours(use_case)),
            execution_timeout=timedelta(minutes=5),
        )
        steps += [asked, answer, step(record_answer, minutes=5)(name, answer.output)]
    if wanted & {"approval", "retrain"}:
        # Local: it takes a while to import, and few policies need it.
        from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator

        # It runs after a question that needed no answer, too; whether it may, the ledger says.
        order: Any = step(decide_training, minutes=5, trigger_rule="none_failed")(name)
        training = TriggerDagRunOperator(
            task_id="begin_training",
            trigger_dag_id=f"{name}_train",
            trigger_run_id=order["run_id"],
            conf={"reason": order["reason"]},
            # The same run is not begun twice.
            skip_when_already_exists=True,
            # The training refuses fields that its form does not have.
            openlineage_inject_parent_info=False,
            execution_timeout=timedelta(minutes=5),
        )
        steps += [order, training]
    chain(checks, *steps)


def respond(name: str, *, run_id: str, params: dict[str, Any]) -> dict[str, str]:
    """Decide what follows each check that was a breach, keep it, and tell people; say what has become stable."""
    from sluice.monitoring import ledger, response

    if params["current"] == "window":
        raise AirflowSkipException("a window was asked for: it is looked at, and nothing follows")
    use_case, warehouse = specs.use_case(name), clients.warehouse()
    given = ledger.respond(warehouse, use_case, run_id)
    found = ledger.checked(warehouse, use_case, run_id)
    for each in given:
        log.info("%s: %s. %s", each.breach, each.response, each.reason)
        # A question has a mail of its own, which says the same.
        if each.response in ("alert", "retrain"):
            alerts.raise_alert(_alert(use_case, found[each.breach], each, run_id))
    alerts.heal(*(f"{kind}:{name}" for kind, check in found.items() if check.verdict == response.STABLE))
    return {each.breach: each.response for each in given}


def compose_question(name: str, *, run_id: str) -> str:
    """Put what the checks found into words for whom is asked, and call them."""
    from sluice.monitoring import ledger
    from sluice.web import links

    use_case, warehouse = specs.use_case(name), clients.warehouse()
    asked = [each for each in ledger.responses(warehouse, use_case, run_id) if each.response == "approval"]
    if not asked:
        raise AirflowSkipException("there is nothing to ask")
    lines = []
    for kind, check in ledger.checked(warehouse, use_case, run_id).items():
        page = f" ([report]({links.address(check.report_uri)}))" if check.report_uri else ""
        lines.append(f"- **{kind}: {check.verdict}**{page}. {check.message} {check.recommendation}")
    notices.waiting(_subject(use_case), name, "monitor", run_id, ASK, hours(use_case))
    return "\n".join([asked[0].reason, "", *lines])


def record_answer(name: str, answer: dict[str, Any] | None, *, run_id: str) -> str:
    """Keep what the person said, and who that was."""
    from sluice.monitoring import ledger

    if answer is None:
        raise StateError("nobody has answered", ASK, "clear it: marking it as done is no answer")
    said, actor, why = _said(answer)
    ledger.record_answer(clients.warehouse(), specs.use_case(name), run_id, said, actor, why)
    alerts.dismiss(question(f"{name}_monitor", run_id))
    log.info("%s, by %s: %s", said, actor, why)
    return said


def decide_training(name: str, *, run_id: str) -> dict[str, str]:
    """Order the training that the policy, or the person who was asked, wants; its run carries the reason."""
    from sluice.monitoring import ledger

    use_case, warehouse = specs.use_case(name), clients.warehouse()
    given = ledger.responses(warehouse, use_case, run_id)
    for each in given:
        if each.response == "retrain" or (each.response == "approval" and each.answer == "yes"):
            training = f"monitor__{run_id}"
            ledger.record_training(warehouse, use_case, run_id, training)
            return {"run_id": training, "reason": _why(each, ledger.checked(warehouse, use_case, run_id)[each.breach])}
    raise AirflowSkipException("no training follows")


def _subject(use_case: UseCase) -> str:
    return f"Shall {use_case.title} be trained again?"


def _wanted(use_case: UseCase) -> set[Response]:
    policy = use_case.monitoring
    return {policy.drift.response, policy.quality.response, policy.performance.response}


def _why(given: Given, check: Checked) -> str:
    """What a training is started for, as its run and its version keep it."""
    by = f" {given.actor} said yes: {given.answer_reason}." if given.answer == "yes" else ""
    return f"{given.breach}: {check.message} {given.reason}{by}"


def _said(answer: dict[str, Any]) -> tuple[Said, str, str]:
    """What the answer of the operator comes to; a time-out answers by itself, and has no user."""
    user = answer["responded_by_user"]
    if user is None:
        return "lapsed", NOBODY, "nobody answered in time"
    said = (answer["params_input"].get(ANSWER) or "").strip() or NO_REASON
    return ("yes" if answer["chosen_options"] == [YES] else "no"), user["name"], said


def _alert(use_case: UseCase, check: Checked, given: Given, run_id: str) -> Alert:
    """What there is to say of a breach; that a training follows is news each time."""
    retrains = given.response == "retrain"
    page = [("Report", f"{alerts.airflow_url()}{check.report_uri}")] if check.report_uri else []
    return Alert(
        cause=f"retraining:{use_case.name}" if retrains else f"{check.kind}:{use_case.name}",
        use_case=use_case.name,
        stage="monitor",
        kind="retraining" if retrains else KINDS[check.kind],
        headline=f"{check.kind} of version {check.version}" if retrains else f"version {check.version}",
        facts=(
            ("Check", f"{check.kind}, {check.verdict}"),
            ("Version", str(check.version)),
            ("About", f"{check.checked_for:%Y-%m-%d %H:%M} UTC"),
            ("What follows", f"{given.response}. {given.reason}"),
            ("Run", run_id),
        ),
        error=check.message,
        advice=check.recommendation,
        links=(*page, ("Run", alerts.run_url(f"{use_case.name}_monitor", run_id))),
    )
