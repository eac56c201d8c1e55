"""What Airflow's own answers say: whether its parts live; with a login, what is late and what cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from local.ports import free_port
from tests.unit.watcher.conftest import Answers
from watcher import airflow
from watcher.airflow import PARTS, Airflow
from watcher.sight import CannotTell

LINK = "http://airflow.test"
HEALTH = "/api/v2/monitor/health"


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def health(database: str = "healthy", **ages: float | None) -> dict[str, Any]:
    """Airflow's answer, with the ages of the parts' last signs of life; None for a part that never gave one."""
    beats = {name: None if age is None else ago(age) for name, age in (dict.fromkeys(PARTS, 1.0) | ages).items()}
    parts = {name: {"status": "healthy", f"latest_{name}_heartbeat": beat} for name, beat in beats.items()}
    return {"metadatabase": {"status": database}, **parts}


@pytest.fixture
def server(answers: Answers, http: httpx.Client) -> Airflow:
    answers.by_path[HEALTH] = health()
    return Airflow(http, answers.url, "viewer", "right")


def test_a_server_that_answers_is_well(server: Airflow) -> None:
    assert airflow.server(server, LINK).alerts == ()


def test_a_server_that_does_not_answer_is_down(http: httpx.Client) -> None:
    [alert] = airflow.server(Airflow(http, f"http://127.0.0.1:{free_port()}"), LINK).alerts

    assert (alert.cause, alert.kind, alert.use_case) == ("airflow", "airflow_down", "platform")
    assert "ConnectError" in alert.error
    assert alert.links == (("What the watcher sees", LINK),)


@pytest.mark.parametrize(
    "said", ["<html>a proxy</html>", health("unhealthy"), []], ids=["no health", "database", "list"]
)
def test_a_server_that_cannot_say_how_it_is_is_down(server: Airflow, answers: Answers, said: Any) -> None:
    answers.by_path[HEALTH] = said

    assert [alert.cause for alert in airflow.server(server, LINK).alerts] == ["airflow"]


@pytest.mark.parametrize("refusal", [401, 403], ids=["it has expired", "another secret signed it"])
def test_for_a_token_that_is_not_taken_any_more_it_gets_another(
    server: Airflow, answers: Answers, refusal: int
) -> None:
    answers.by_path["/api/v2/dags"] = {"dags": []}
    server.get("/dags")
    answers.token, answers.refusal = "another-token", refusal

    assert server.get("/dags") == {"dags": []}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_whose_last_sign_of_life_is_old_is_dead(server: Airflow, answers: Answers, name: str) -> None:
    answers.by_path[HEALTH] = health(**{name: 90})

    found = {part: airflow.part(server, part, 60, LINK).alerts for part in PARTS}

    [alert] = found.pop(name)
    assert (alert.cause, alert.kind) == (name, PARTS[name])
    assert "Its last sign of life was at" in alert.error
    assert set(found.values()) == {()}


def test_a_part_that_never_gave_a_sign_of_life_is_dead(server: Airflow, answers: Answers) -> None:
    answers.by_path[HEALTH] = health(triggerer=None)

    assert [alert.kind for alert in airflow.part(server, "triggerer", 60, LINK).alerts] == ["triggerer_down"]


def test_nobody_knows_of_a_part_while_the_server_does_not_say(server: Airflow, answers: Answers) -> None:
    answers.by_path[HEALTH] = health("unhealthy", scheduler=3600)

    with pytest.raises(CannotTell, match="database"):
        airflow.part(server, "scheduler", 60, LINK)


def test_who_ask_at_once_share_an_answer(server: Airflow, answers: Answers) -> None:
    for name in PARTS:
        airflow.part(server, name, 60, LINK)

    assert answers.asked == [HEALTH]


def dag(dag_id: str, run_after: str | None, is_stale: bool = False) -> dict[str, Any]:
    return {"dag_id": dag_id, "next_dagrun_run_after": run_after, "is_stale": is_stale}


def overdue(server: Airflow) -> list[tuple[str, str, str]]:
    found = airflow.overdue(server, 600, LINK, lambda: frozenset({"housing"})).alerts
    assert all(alert.kind == "deadline_missed" for alert in found)
    return [(alert.cause, alert.use_case, alert.stage) for alert in found]


def test_a_run_that_should_have_begun_and_has_not_is_late(server: Airflow, answers: Answers) -> None:
    answers.by_path["/api/v2/dags"] = {
        "dags": [
            dag("housing_ingest", ago(3600)),
            dag("housing_train", ago(60)),
            dag("housing_promote", None),
            dag("housing_gone", ago(3600), is_stale=True),
            dag("sluice_check", ago(3600)),
        ]
    }
    for late in ("housing_ingest", "sluice_check"):
        answers.by_path[f"/api/v2/dags/{late}/dagRuns"] = {"dag_runs": []}

    assert overdue(server) == [
        ("deadline:housing_ingest", "housing", "ingest"),
        ("deadline:sluice_check", "platform", "sluice_check"),
    ]
    assert "/api/v2/dags?paused=false&limit=1000" in answers.asked


def test_a_run_that_waits_for_the_one_before_it_is_not_late(server: Airflow, answers: Answers) -> None:
    answers.by_path["/api/v2/dags"] = {"dags": [dag("housing_train", ago(3600))]}
    answers.by_path["/api/v2/dags/housing_train/dagRuns"] = {"dag_runs": [{"state": "running"}]}

    assert overdue(server) == []


def test_a_task_that_no_worker_takes_is_told_by_its_queue(server: Airflow, answers: Answers) -> None:
    task = {"dag_id": "housing_train", "task_id": "search", "queue": "gpu"}
    answers.by_path["/api/v2/dags/~/dagRuns/~/taskInstances"] = {
        "task_instances": [
            task | {"queued_when": ago(3600)},
            task | {"queued_when": ago(3600)},
            task | {"queued_when": ago(5), "queue": "default"},
        ]
    }

    [alert] = airflow.untaken(server, 600, LINK).alerts

    assert (alert.cause, alert.kind) == ("worker:gpu", "worker_down")
    assert ("Tasks that wait", "2: housing_train.search") in alert.facts


@pytest.mark.parametrize("told", ["import:ingest.py", "import:/sluice/dags/ingest.py"])
def test_a_file_that_cannot_be_read_has_the_cause_that_people_know(
    server: Airflow, answers: Answers, told: str
) -> None:
    answers.by_path["/api/v2/importErrors"] = {
        "import_errors": [{"filename": "ingest.py", "stack_trace": "NameError: x"}, {"filename": "re-ingest.py"}]
    }
    other = "import:/sluice/dags/re-ingest.py"

    found = airflow.unreadable(server, LINK, lambda: ("scheduler", other, told)).alerts

    assert [alert.cause for alert in found] == [told, other]
    assert found[0].error == "NameError: x"


@pytest.mark.parametrize("password", ["wrong", "right"])
def test_without_an_answer_nobody_knows(answers: Answers, http: httpx.Client, password: str) -> None:
    server = Airflow(http, answers.url, "viewer", password)

    with pytest.raises(CannotTell, match=r"/importErrors is not answered: .* '40[14]"):
        airflow.unreadable(server, LINK, lambda: ())
