"""A run that takes longer than it should is told of while it may still end well."""

from datetime import timedelta
from typing import Any

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.orchestration.deadlines import deadline, missed
from sluice.orchestration.failures import Subject, callbacks
from tests.unit.orchestration.inbox import Inbox
from tests.unit.orchestration.test_failures import Task


def late(state: str) -> dict[str, Any]:
    """What Airflow tells of a run whose deadline has passed."""
    run = {"dag_id": "housing_train", "dag_run_id": "manual__1", "state": state, "queued_at": "2026-05-01T02:00:00Z"}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": "2026-05-01T03:00:00Z"}}


@pytest.mark.parametrize(("hours", "after"), [(2, 1.5), (26, 25.5), (1, 0.5), (0.2, 0.1)])
def test_it_is_due_half_an_hour_before_it_is_stopped(hours: float, after: float) -> None:
    assert deadline(Subject("housing", "train"), hours).interval == timedelta(hours=after)


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_run_that_is_late_is_told_until_one_ends_well(inbox: Inbox, ledger: Warehouse, state: str) -> None:
    for _ in range(2):
        missed("housing", "train", "1:00:00", late(state))
    callbacks("housing", "train").success[0](Task(dag_id="housing_train").context(reason="success"))

    assert inbox.subjects == [
        "[sluice] housing train is late: housing_train",
        "[sluice] housing train recovered: housing_train",
    ]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_a_run_that_has_ended_meanwhile_is_not_late(inbox: Inbox, ledger: Warehouse, state: str) -> None:
    missed("housing", "train", "1:00:00", late(state))

    assert not inbox.mails
