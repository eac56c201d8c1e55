"""What people say to a promotion: the question, the wait for its answer, the record of it, and force."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.errors import StateError
from sluice.domain.evidence import NOBODY, Ruling, Subject, rule
from sluice.domain.use_case import UseCase
from sluice.orchestration import alerts, clients, notices, specs
from sluice.orchestration.failures import question
from sluice.orchestration.steps import reason, step

if TYPE_CHECKING:
    from sluice.gate.decision import Entry

YES, NO = "Approve", "Reject"
NO_REASON = "no reason given"
ANSWER = "answer_reason"
ASK = "ask_approval"

log = logging.getLogger(__name__)


def approval(use_case: UseCase, subject: Any, decided: Any) -> Any:
    """The steps that ask a person to approve what the gate would promote; the last one records what they said.

    They are skipped where there is nothing to approve.

    Args:
        use_case: Says how long an answer is waited for.
        subject: What `pick` named.
        decided: The step that decides.
    """
    asked = step(compose_question, minutes=5)(use_case.name)
    # Not the ApprovalOperator: what comes after it, it skips after a no, and a no is recorded like a yes.
    answer = HITLOperator(
        task_id=ASK,
        subject=_subject(use_case),
        body=asked,
        options=[YES, NO],
        defaults=NO,
        # Not `reason`: Airflow would fill in what the run was started for.
        params={ANSWER: reason("Why; kept with your name in ml.decisions.")},
        response_timeout=timedelta(hours=use_case.gate.approval_hours),
        execution_timeout=timedelta(minutes=5),
    )
    ruled = step(record_ruling, minutes=5)(use_case.name, subject, answer.output)
    chain(decided, asked, answer, ruled)
    return ruled


def compose_question(name: str, *, run_id: str) -> str:
    """Put what the gate found into words for whom must approve it, and call them."""
    from sluice.gate import decision, report
    from sluice.web import links

    entry = _of_the_gate(decision.decisions(clients.warehouse(), name, run_id))
    if entry.decision.code != "needs_approval":
        raise AirflowSkipException(f"{entry.decision.code}: there is nothing to approve")
    use_case = specs.use_case(name)
    put = report.question(use_case, entry, links.address(entry.report.path))
    notices.waiting(_subject(use_case), name, "promote", run_id, ASK, use_case.gate.approval_hours)
    return put


def record_ruling(name: str, subject: dict[str, Any], answer: dict[str, Any] | None, *, run_id: str) -> int:
    """Apply what the person said to what the gate decided, and keep it beside that."""
    from sluice.gate import decision

    if answer is None:
        raise StateError("nobody has answered", ASK, "clear it: marking it as done is no answer")
    warehouse, about = clients.warehouse(), Subject(**subject)
    entries = decision.decisions(warehouse, name, run_id)
    entry = _of_the_gate(entries)
    evidence = decision.read_evidence(warehouse, name, run_id)
    ruled = rule(about, evidence, entry.decision, _ruling(answer, specs.use_case(name).gate.approval_hours))
    log.info("%s, by %s: %s", ruled.code, ruled.actor, ruled.message)
    alerts.dismiss(question(f"{name}_promote", run_id))
    notices.decided(about, ruled, run_id)
    newest = entries[0]
    if (newest.overrides, newest.decision) == (entry.decision_id, ruled):
        number = newest.decision_id
    else:
        number = decision.store_decision(warehouse, run_id, about, ruled, evidence, overrides=entry.decision_id)
    if ruled.code.startswith("undecided"):
        raise StateError(f"{ruled.code}: {ruled.message}", f"ml.decisions {number}", "mend the cause, promote again")
    return number


def _subject(use_case: UseCase) -> str:
    return f"May a new version of {use_case.title} serve?"


def forced(params: dict[str, Any], dag_run: Any) -> Ruling | None:
    """Who forces the version of this run, and why; None where nobody does.

    Raises:
        StateError: Force lacks a version, a reason or a person.
    """
    if not params["force"]:
        return None
    said = (params["reason"] or "").strip()
    lacking = {
        "a version": params["version"],
        "a reason": said,
        "a person who triggers the run": dag_run.triggering_user_name,
    }
    if missing := [what for what, given in lacking.items() if not given]:
        raise StateError(f"force needs {' and '.join(missing)}", "the trigger form", "trigger the DAG again with it")
    return Ruling(action="force", actor=dag_run.triggering_user_name, reason=said)


def _ruling(answer: dict[str, Any], hours: float) -> Ruling:
    """What the answer of the operator comes to; a time-out answers by itself, and has no user."""
    user = answer["responded_by_user"]
    if user is None:
        return Ruling(action="lapse", actor=NOBODY, reason=f"nobody answered within {hours:g} hours")
    said = (answer["params_input"].get(ANSWER) or "").strip() or NO_REASON
    yes = answer["chosen_options"] == [YES]
    return Ruling(action="approve" if yes else "refuse", actor=user["name"], reason=said)


def _of_the_gate(entries: tuple[Entry, ...]) -> Entry:
    """The gate's own decision, the newest one of the run."""
    for entry in entries:
        if entry.is_of_the_gate:
            return entry
    raise StateError("the gate has not decided in this run", "ml.decisions", "clear `decide_promotion`")
