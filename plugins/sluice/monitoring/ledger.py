"""The ledger of checks: what they found of a release over time, and what followed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.monitoring import Response
from sluice.domain.use_case import UseCase
from sluice.monitoring import response
from sluice.monitoring.response import BREACHES, Breach

Said = Literal["yes", "no", "lapsed"]


@dataclass(frozen=True)
class Checked:
    """A report, as it stands in the ledger.

    Attributes:
        kind: What was checked.
        version: The release that was looked after.
        verdict: What was found, in a word.
        message: The same in a sentence.
        recommendation: Whether to train again, and why.
        report_uri: Where its page is shown, if it has one.
        checked_for: The moment that the check was about.
    """

    kind: Breach
    version: int
    verdict: str
    message: str
    recommendation: str
    report_uri: str | None
    checked_for: datetime


@dataclass(frozen=True)
class Given:
    """A response, as it stands in the ledger.

    Attributes:
        breach: What it follows.
        response: What is done.
        reason: Why.
        answer: What the person said who was asked; None where nobody has.
        actor: Who that was.
        answer_reason: Why, in that person's words.
    """

    breach: Breach
    response: Response
    reason: str
    answer: Said | None = None
    actor: str | None = None
    answer_reason: str | None = None


def checked(warehouse: Warehouse, use_case: UseCase, dag_run_id: str) -> dict[Breach, Checked]:
    """What the checks of one run found; those that failed are not in it."""
    values = {"use_case": use_case.name, "dag_run_id": dag_run_id}
    rows = warehouse.rows(warehouse.statement("monitoring/reports_of_run"), values)
    return {row["kind"]: Checked(**row) for row in rows}


def verdicts(
    warehouse: Warehouse, use_case: UseCase, kind: Breach, version: int, until: datetime, most: int
) -> tuple[str, ...]:
    """What the last checks of one kind found of a release, newest first.

    Args:
        warehouse: Keeps them.
        use_case: Whose checks.
        kind: What was checked.
        version: The release; what was found of another says nothing about this one.
        until: Checks that were about a later moment do not count.
        most: How many are wanted.
    """
    values = {"use_case": use_case.name, "kind": kind, "version": version, "until": until, "most": most}
    return tuple(row["verdict"] for row in warehouse.rows(warehouse.statement("monitoring/verdicts"), values))


def advise(warehouse: Warehouse, use_case: UseCase, kind: Breach, version: int, verdict: str, until: datetime) -> str:
    """The advice beside a check that is not stored yet, by its verdict and the newest of the other kinds."""
    values = {"use_case": use_case.name, "version": version, "until": until}
    rows = warehouse.rows(warehouse.statement("monitoring/newest_verdicts"), values)
    known: dict[Breach, str] = {row["kind"]: row["verdict"] for row in rows}
    return response.recommend(kind, {**known, kind: verdict})


def respond(warehouse: Warehouse, use_case: UseCase, dag_run_id: str) -> tuple[Given, ...]:
    """Decide what follows the checks of a run, and keep it; one entry for each check that was a breach.

    Of several that would ask for a training, the first does; a run that responds again replaces what it said.
    """
    given: list[Given] = []
    moments: list[datetime] = []
    found = checked(warehouse, use_case, dag_run_id)
    for breach in BREACHES:
        check = found.get(breach)
        if check is None or check.verdict not in response.BAD:
            continue
        policy, now = use_case.monitoring, check.checked_for
        last = _last_response_at(warehouse, use_case, dag_run_id, now)
        if any(each.response in response.HEAVY for each in given):
            last = now
        history = verdicts(warehouse, use_case, breach, check.version, now, policy.windows)
        answer = response.respond(policy, breach, history, last, now)
        given.append(Given(breach, answer.response, answer.reason))
        moments.append(now)
    run = {"use_case": use_case.name, "dag_run_id": dag_run_id}
    with warehouse.transaction() as connection:
        fetch(connection, warehouse.statement("monitoring/clear_responses"), run)
        for each, moment in zip(given, moments, strict=True):
            values = {**run, "responded_for": moment, **vars(each)}
            fetch(connection, warehouse.statement("monitoring/store_response"), values)
    return tuple(given)


def responses(warehouse: Warehouse, use_case: UseCase, dag_run_id: str) -> tuple[Given, ...]:
    """What followed the checks of a run, with what a person said to it."""
    values = {"use_case": use_case.name, "dag_run_id": dag_run_id}
    rows = warehouse.rows(warehouse.statement("monitoring/responses_of_run"), values)
    return tuple(Given(**row) for row in rows)


def record_answer(
    warehouse: Warehouse, use_case: UseCase, dag_run_id: str, said: Said, actor: str, reason: str
) -> None:
    """Keep what the person said who was asked whether to train again, and who that was."""
    values = {
        "use_case": use_case.name,
        "dag_run_id": dag_run_id,
        "answer": said,
        "actor": actor,
        "answer_reason": reason,
    }
    warehouse.execute(warehouse.statement("monitoring/record_answer"), values)


def record_training(warehouse: Warehouse, use_case: UseCase, dag_run_id: str, training_run_id: str) -> None:
    """Keep which run of the training follows."""
    values = {"use_case": use_case.name, "dag_run_id": dag_run_id, "training_run_id": training_run_id}
    warehouse.execute(warehouse.statement("monitoring/record_training"), values)


def _last_response_at(warehouse: Warehouse, use_case: UseCase, dag_run_id: str, until: datetime) -> datetime | None:
    values = {"use_case": use_case.name, "dag_run_id": dag_run_id, "until": until}
    rows = warehouse.rows(warehouse.statement("monitoring/last_response"), values)
    return cast("datetime | None", rows[0]["responded_for"])
