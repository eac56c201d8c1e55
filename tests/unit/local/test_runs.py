"""Runs and their tasks, as Airflow's REST API tells of them."""

from __future__ import annotations

from local.runs import PAGE, Airflow
from tests.unit.local.conftest import Script
from tests.unit.local.training import PATH, RUN, holds, instance


def test_tasks_come_in_the_order_in_which_they_began(script: Script, airflow: Airflow) -> None:
    holds(
        script,
        instance("take_snapshot", "success", "2026-01-01T00:00:00Z", 4),
        instance("register", None, None, 1),
        instance("search", "running", "2026-01-01T00:00:08Z", 2, map_index=1),
        instance("search", "success", "2026-01-01T00:00:09Z", 2, map_index=0),
        instance("open_study", "skipped", "2026-01-01T00:00:05Z", 3),
    )

    tasks = airflow.tasks(RUN)

    assert [(task.name, task.state) for task in tasks] == [
        ("take_snapshot", "success"),
        ("open_study", "skipped"),
        ("search[1]", "running"),
        ("search[0]", "success"),
        ("register", "waiting"),
    ]


def test_what_waits_comes_in_the_order_of_the_dag(script: Script, airflow: Airflow) -> None:
    holds(
        script,
        *(instance("search", None, None, 2, map_index=i) for i in (10, 9)),
        instance("register", None, None, 1),
        instance("open_study", None, None, 3),
    )

    assert [task.name for task in airflow.tasks(RUN)] == ["open_study", "search[9]", "search[10]", "register"]


def test_every_instance_is_there_however_many(script: Script, airflow: Airflow) -> None:
    holds(script, *(instance("search", "success", "2026-01-01T00:00:00Z", 2, map_index=i) for i in range(2 * PAGE + 7)))

    assert [task.map_index for task in airflow.tasks(RUN)] == list(range(2 * PAGE + 7))


def test_an_instance_of_a_mapped_task_has_a_result_of_its_own(script: Script, airflow: Airflow) -> None:
    script.answers[f"{PATH}/taskInstances/search/xcomEntries/return_value"] = lambda query: {
        "value": int(query["map_index"][0])
    }

    assert airflow.result(RUN, "search", 1) == 1
    assert airflow.result(RUN, "search") == -1


def test_a_failure_names_the_instance_with_its_log_and_page(script: Script, airflow: Airflow) -> None:
    holds(
        script,
        instance("search", "success", "2026-01-01T00:00:09Z", 2, map_index=0),
        instance("search", "failed", "2026-01-01T00:00:09Z", 2, map_index=1),
    )
    script.answers[f"{PATH}/taskInstances/search/logs/2"] = lambda query: {
        "content": [{"event": f"log of {query['map_index'][0]}"}]
    }

    error = str(airflow.failure(RUN))

    assert "line_train failed in search[1]" in error
    assert "log of 1" in error
    assert "/dags/line_train/runs/today/tasks/search/mapped/1]" in error


def test_a_failure_of_a_plain_task_has_a_plain_page(script: Script, airflow: Airflow) -> None:
    holds(script, instance("register", "failed", "2026-01-01T00:00:09Z", 1))
    script.answers[f"{PATH}/taskInstances/register/logs/2"] = {"content": ["the end"]}

    error = str(airflow.failure(RUN))

    assert "/runs/today/tasks/register]" in error
    assert "the end" in error
