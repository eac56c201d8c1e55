"""A training run and its tasks, as Airflow's REST API would tell of them."""

from __future__ import annotations

from typing import Any

from local.runs import PAGE, Run
from tests.unit.local.conftest import Script

RUN = Run("line_train", "today", "running")
PATH = "/api/v2/dags/line_train/dagRuns/today"


def instance(task_id: str, state: str | None, began: str | None, weight: int, map_index: int = -1) -> dict[str, Any]:
    """A task instance as Airflow writes it."""
    return {
        "task_id": task_id,
        "state": state,
        "start_date": began,
        "end_date": None,
        "duration": 1.5,
        "try_number": 2,
        "priority_weight": weight,
        "map_index": map_index,
    }


def holds(script: Script, *instances: dict[str, Any]) -> None:
    """Let the run have these task instances, a page at a time."""

    def page(query: dict[str, list[str]]) -> dict[str, Any]:
        start = int(query["offset"][0])
        most = min(int(query["limit"][0]), PAGE)
        return {"task_instances": instances[start : start + most], "total_entries": len(instances)}

    script.answers[f"{PATH}/taskInstances"] = page
