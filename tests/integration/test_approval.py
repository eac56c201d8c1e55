"""What people say to a promotion, in a running Airflow: no answer, a no, a yes, and force; and to a training."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.runs import Run
from sluice.domain.evidence import NOBODY
from sluice.gate.decision import Entry, decisions
from sluice.orchestration.approval import ANSWER
from sluice.release.ledger import moves
from tests.live import LiveStack

NAME = "flats"
PROMOTE = f"{NAME}_promote"
#: Of an hour: about the time in which nobody can answer.
SOON = 0.002
TOUCHY = """monitoring:
  quality:
    max_batch_age_hours: 0.0001
    response: approval
"""


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in to Airflow."""

    url: str
    token: str

    def get(self, path: str) -> httpx.Response:
        return self._ask("GET", path)

    def put(self, path: str) -> httpx.Response:
        return self._ask("PUT", path)

    def answer(self, run: Run, chosen: str, reason: str, task: str = "ask_approval") -> int:
        said = {"chosen_options": [chosen], "params_input": {ANSWER: reason}}
        return self._ask("PATCH", question(run, task), json=said).status_code

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.request(method, f"{self.url}{path}", headers=headers, trust_env=False, timeout=30, **options)


def question(run: Run, task: str = "ask_approval") -> str:
    """Where Airflow keeps the question of a run, and takes the answer."""
    return f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task}/-1/hitlDetails"


def person(live: LiveStack, name: str) -> Person:
    """Sign a person in."""
    url, login = live.addresses.airflow, {"username": name, "password": getattr(live.addresses.credentials, name)}
    return Person(url, httpx.post(f"{url}/auth/token", json=login, trust_env=False).json()["access_token"])


@pytest.fixture(scope="module")
def spec(live: LiveStack) -> Iterator[Path]:
    """A copy of housing by another name that must be approved, and at first almost at once; its endpoint runs.

    Any batch is too old for it, and then a person is asked whether it shall be trained again.
    """
    folder = live.use_cases / NAME
    shutil.copytree(live.use_cases / "housing", folder)
    path = folder / "use_case.yaml"
    text = path.read_text(encoding="utf-8").replace("name: housing", f"name: {NAME}", 1)
    text = text.replace("title: Housing prices", "title: Flats", 1)
    policy = f"gate:\n  approval: required\n  approval_hours: {SOON}\n"
    path.write_text(text.replace("gate:\n", policy, 1).replace("monitoring:\n", TOUCHY, 1), encoding="utf-8")
    try:
        live.stack.up(print, lambda _: None)
        yield path
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def unanswered(live: LiveStack, spec: Path) -> Run:
    """The first promotion, in which nobody says anything; from then on there is an hour."""
    live.run(f"{NAME}_ingest")
    training = live.run(f"{NAME}_train", trials=4)
    run = live.finish(live.airflow.started_by(training, PROMOTE))
    text = spec.read_text(encoding="utf-8").replace(f"approval_hours: {SOON}", "approval_hours: 1")
    spec.write_text(text, encoding="utf-8")
    _await_the_hour(live)
    return run


def _await_the_hour(live: LiveStack) -> None:
    """Wait until Airflow has read the spec again, which it is asked to do at once."""
    admin = person(live, "admin")
    file = admin.get(f"/api/v2/dags/{PROMOTE}/details").json()["file_token"]
    assert admin.put(f"/api/v2/parseDagFile/{file}").is_success
    deadline = time.monotonic() + 120
    while admin.get(f"/api/v2/dags/{PROMOTE}/details").json()["dag_run_timeout"] != "PT2H":
        assert time.monotonic() < deadline, "Airflow does not read the spec again"
        time.sleep(1)


def asking(live: LiveStack, dag_id: str = PROMOTE, task: str = "ask_approval", **conf: Any) -> Run:
    """A run, of a promotion where nothing else is said, that has come as far as to ask."""
    run = live.start(dag_id, **conf)
    for progress in live.airflow.follow(run):
        states = {each.task_id: each.state for each in progress.tasks}
        if states.get(task) == "awaiting_input":
            # An answer before Airflow has noted how the asking process ended is lost: it takes that for a crash, and
            # asks again.
            time.sleep(3)
            return progress.run
    raise AssertionError(f"the run ended without a question: {states}")


def entries(live: LiveStack, run: Run) -> tuple[Entry, ...]:
    """What was decided in a run, the newest first."""
    return decisions(live.warehouse, NAME, run.run_id)


def states(live: LiveStack, run: Run) -> dict[str, str]:
    """How each task of a run ended."""
    return {task.task_id: task.state for task in live.airflow.tasks(run)}


def test_no_answer_in_time_is_a_no(live: LiveStack, unanswered: Run) -> None:
    ruling, gate = entries(live, unanswered)

    assert unanswered.state == "success"
    assert gate.decision.code == "needs_approval", gate.decision.message
    assert (ruling.decision.code, ruling.decision.actor) == ("reject:approval_timeout", NOBODY)
    assert states(live, unanswered)["deploy"] == "skipped"
    assert live.champion(NAME) is None


@pytest.mark.soak
def test_a_no_leaves_everything_as_it_is(live: LiveStack, unanswered: Run) -> None:
    run = asking(live, version=1)

    assert person(live, "viewer").answer(run, "Approve", "let me") == 403
    assert person(live, "admin").answer(run, "Reject", "too risky") == 200

    run = live.finish(run)
    ruling = entries(live, run)[0]
    assert run.state == "success"
    assert (ruling.decision.code, ruling.decision.actor) == ("reject:approval", "admin")
    assert ruling.decision.message == "refused: too risky"
    assert {states(live, run)[task] for task in ("begin_canary", "deploy", "confirm_live")} == {"skipped"}
    assert live.champion(NAME) is None


@pytest.fixture(scope="module")
def approved(live: LiveStack, unanswered: Run) -> Run:
    """A promotion that was approved, on what the question shows."""
    run = asking(live, version=1)
    admin = person(live, "admin")
    put = admin.get(question(run)).json()["body"]
    assert "| R² |" in put
    assert "`threshold.r2`" in put
    [link] = re.findall(r"\]\((/sluice/reports/[^)]+)\)", put)
    page = admin.get(link)
    assert page.status_code == 200
    assert "waits for a person" in page.text
    assert admin.answer(run, "Approve", "looks right") == 200
    return live.finish(run)


def test_a_yes_deploys_in_the_name_of_who_said_it(live: LiveStack, approved: Run) -> None:
    assert approved.state == "success", live.airflow.failure(approved)
    ruling = entries(live, approved)[0]
    [move] = moves(live.warehouse, NAME, 10)

    assert (ruling.decision.code, ruling.decision.actor) == ("promote", "admin")
    assert (move.to_version, move.actor) == (1, "admin")
    assert "looks right" in move.reason
    assert live.champion(NAME) == 1
    page = person(live, "viewer").get(ruling.report.path)
    assert "says admin" in page.text


@pytest.mark.soak
def test_force_deploys_what_the_gate_rejects_without_a_question(live: LiveStack, approved: Run) -> None:
    training = live.run(f"{NAME}_train", trials=4, again=True)
    rejected = live.finish(live.airflow.started_by(training, PROMOTE))
    assert rejected.state == "success"
    assert entries(live, rejected)[0].decision.code.startswith("reject:")
    assert states(live, rejected)["ask_approval"] == "skipped"
    assert live.champion(NAME) == 1

    without = live.finish(live.start(PROMOTE, version=2, force=True))
    assert without.state == "failed"
    assert states(live, without)["pick"] == "failed"
    assert entries(live, without) == ()

    run = live.finish(live.start(PROMOTE, version=2, force=True, reason="for the fair"))

    assert run.state == "success", live.airflow.failure(run)
    ruling, gate = entries(live, run)
    assert gate.decision.code.startswith("reject:")
    assert (ruling.decision.code, ruling.decision.actor) == ("promote", "admin")
    assert live.champion(NAME) == 2
    move = moves(live.warehouse, NAME, 1)[0]
    assert (move.to_version, move.actor) == (2, "admin")
    assert move.reason.startswith("forced: for the fair; set aside: ")


@pytest.mark.soak
def test_a_training_that_a_person_wants_after_a_check_carries_the_reason(live: LiveStack, approved: Run) -> None:
    run = asking(live, f"{NAME}_monitor", "ask_retraining", current="validated")
    admin = person(live, "admin")
    assert "**quality: degraded**" in admin.get(question(run, "ask_retraining")).json()["body"]

    assert admin.answer(run, "Retrain", "it is spring", "ask_retraining") == 200

    run = live.finish(run)
    assert run.state == "success", live.airflow.failure(run)
    training = live.airflow.run(f"{NAME}_train", f"monitor__{run.run_id}")
    conf = admin.get(f"/api/v2/dags/{training.dag_id}/dagRuns/{training.run_id}").json()["conf"]
    assert conf["reason"].startswith("quality: Degraded: ")
    assert conf["reason"].endswith("admin said yes: it is spring.")
    kept = live.warehouse.rows(
        "SELECT response, answer, actor, training_run_id FROM monitoring.responses"
        " WHERE use_case = %(name)s AND breach = 'quality'",
        {"name": NAME},
    )
    assert [tuple(row.values()) for row in kept] == [("approval", "yes", "admin", training.run_id)]
    assert live.finish(training).state == "success"
