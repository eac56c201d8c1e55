"""Runs are asked for from outside, followed, and told of where they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import RunError, StackError
from local.trigger import Door, door, runs
from tests.unit.local.conftest import Script

WHO = {"SLUICE_AIRFLOW_USER": "retrainer", "SLUICE_AIRFLOW_PASSWORD": "secret"}


def knows(script: Script, dag_id: str, state: str) -> None:
    """Let Airflow have a DAG whose run is over as soon as it is asked for."""
    script.answers["/auth/token"] = {"access_token": "t"}
    script.answers[f"/api/v2/dags/{dag_id}"] = {"is_paused": False}
    script.answers[f"/api/v2/dags/{dag_id}/dagRuns"] = {}
    path = f"/api/v2/dags/{dag_id}/dagRuns/nightly"
    script.answers[path] = {"state": state, "start_date": None, "end_date": None}
    script.answers[f"{path}/taskInstances"] = {"task_instances": [], "total_entries": 0}


def test_every_dag_runs_before_any_is_waited_for(script: Script) -> None:
    for dag_id in ("housing_train", "loan_train"):
        knows(script, dag_id, "success")

    assert runs(Door(script.url, "retrainer", "secret"), ["housing_train", "loan_train"], "nightly", {}) == []

    asked = [path for path, _ in script.asked]
    assert asked.index("/api/v2/dags/loan_train/dagRuns") < asked.index(
        "/api/v2/dags/housing_train/dagRuns/nightly/taskInstances"
    )


def test_one_that_fails_hides_no_other(script: Script) -> None:
    knows(script, "housing_train", "failed")
    knows(script, "loan_train", "failed")

    failed = runs(Door(script.url, "retrainer", "secret"), ["housing_train", "loan_train"], "nightly", {})

    assert [error.what for error in failed] == ["housing_train failed as a whole", "loan_train failed as a whole"]


def test_nothing_starts_while_one_of_them_may_not(script: Script) -> None:
    knows(script, "housing_train", "success")
    knows(script, "loan_train", "success")
    script.answers["/api/v2/dags/loan_train"] = {"is_paused": True}

    with pytest.raises(RunError, match="loan_train is paused"):
        runs(Door(script.url, "retrainer", "secret"), ["housing_train", "loan_train"], "nightly", {})

    assert "/api/v2/dags/housing_train/dagRuns" not in [path for path, _ in script.asked]


def test_who_asks_elsewhere_comes_from_the_environment() -> None:
    assert door("https://airflow.example.com/", WHO) == Door("https://airflow.example.com", "retrainer", "secret")


@pytest.mark.parametrize("name", WHO)
def test_nobody_asks_elsewhere_without_a_name_and_a_password(name: str) -> None:
    with pytest.raises(StackError, match=name):
        door("https://airflow.example.com", WHO | {name: ""})


def test_without_an_address_the_local_stack_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_VAR", str(tmp_path))

    with pytest.raises(StackError, match="the stack is not up"):
        door("", WHO)
