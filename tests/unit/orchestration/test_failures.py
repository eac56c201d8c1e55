"""What the tasks and the runs of a DAG say when they fail, and when they are well again."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowTaskTimeout

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import BatchRejected
from sluice.orchestration.failures import ALERTED_XCOM, callbacks
from tests.unit.orchestration.inbox import Inbox

RUN = "scheduled__2026-05-01T01:00:00+00:00"
FAILED, RUN_FAILED, SUCCEEDED = (
    calls[0]
    for calls in (
        callbacks("housing", "ingest").task,
        callbacks("housing", "ingest").run,
        callbacks("housing", "ingest").success,
    )
)


@dataclass
class Task:
    """As much of Airflow's running task as a callback touches."""

    task_id: str = "land_batch"
    dag_id: str = "housing_ingest"
    map_index: int = -1
    try_number: int = 3
    retries: int = 2
    run_id: str = RUN
    fileloc: str = "/dags/ingest.py"
    execution_timeout: timedelta = timedelta(minutes=5)
    log_url: str = "http://airflow.test/log"
    states: dict[str, str] = field(default_factory=dict)
    notes: dict[tuple[str, int], int] = field(default_factory=dict)
    task_ids: tuple[str, ...] = ("land_batch", "judge")

    def context(self, **more: Any) -> dict[str, Any]:
        return {"ti": self, "task": self, "dag": self, "run_id": self.run_id, **more}

    def xcom_push(self, key: str, value: int) -> None:
        assert key == ALERTED_XCOM
        self.notes[self.task_id, self.map_index] = value

    def xcom_pull(self, task_ids: str, map_indexes: int, key: str) -> int | None:
        assert key == ALERTED_XCOM
        return self.notes.get((task_ids, map_indexes))

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        return dict.fromkeys(run_ids, self.states)


def test_a_failed_task_tells_its_owner_what_to_do(inbox: Inbox, ledger: Warehouse) -> None:
    task = Task()
    error = AirflowFailException("wrapped")
    error.__cause__ = BatchRejected("12 % of <rows> are {{ bad }}", "batch 4", "look at quarantine.housing")

    FAILED(task.context(exception=error))

    assert inbox.mail["subject"] == "[sluice] housing ingest failed: land_batch"
    assert "Task: housing_ingest.land_batch" in inbox.text
    assert f"Run: {RUN}" in inbox.text
    assert "Try: 3 of 3" in inbox.text
    assert "batch: 12 % of <rows> are {{ bad }} [batch 4]" in inbox.text
    assert "What to do: look at quarantine.housing" in inbox.text
    assert task.notes == {("land_batch", -1): 3}


def test_any_other_error_is_told_with_its_type_and_a_next_step(inbox: Inbox, ledger: Warehouse) -> None:
    FAILED(Task().context(exception=ValueError("boom")))

    assert "ValueError: boom" in inbox.text
    assert "What to do: Read the log" in inbox.text


def test_a_task_that_took_too_long_says_how_long_it_may(inbox: Inbox, ledger: Warehouse) -> None:
    FAILED(Task().context(exception=AirflowTaskTimeout("Timeout, PID: 12")))

    assert "took longer than it may, 0:05:00" in inbox.text


def test_three_failures_in_a_row_are_one_mail_and_a_success_is_another(inbox: Inbox, ledger: Warehouse) -> None:
    for day in range(3):
        FAILED(Task(run_id=f"day-{day}").context(exception=ValueError("boom")))
    for _ in range(2):
        SUCCEEDED(Task(run_id="day-3").context(reason="success"))

    assert inbox.subjects == [
        "[sluice] housing ingest failed: land_batch",
        "[sluice] housing ingest recovered: land_batch",
    ]


def test_another_dags_success_heals_nothing(inbox: Inbox, ledger: Warehouse) -> None:
    FAILED(Task().context(exception=ValueError("boom")))

    SUCCEEDED(Task(dag_id="housing_train", fileloc="/dags/train.py").context())
    SUCCEEDED(Task(dag_id="housing", fileloc="/dags/train.py").context())

    assert len(inbox.mails) == 1


def test_mapped_tasks_and_those_after_them_that_fail_in_one_run_are_one_mail(inbox: Inbox, ledger: Warehouse) -> None:
    for task in (Task("search", map_index=0), Task("search", map_index=1), Task("report")):
        FAILED(task.context(exception=ValueError("boom")))

    assert inbox.mail["subject"] == "[sluice] housing ingest failed: search"


def test_a_lost_task_leaves_the_mail_to_its_run(inbox: Inbox, ledger: Warehouse) -> None:
    task = Task()

    FAILED(task.context())

    assert not inbox.mails
    assert not task.notes


@pytest.mark.usefixtures("no_warehouse")
def test_the_run_is_silent_when_every_failed_task_has_spoken(inbox: Inbox) -> None:
    """By their notes alone: the ledger cannot be asked."""
    task = Task(states={"land_batch": "failed", "judge": "upstream_failed"}, notes={("land_batch", -1): 1})

    RUN_FAILED(task.context(reason="task_failure"))

    assert not inbox.mails


def test_the_run_speaks_for_tasks_that_were_killed(inbox: Inbox, ledger: Warehouse) -> None:
    states = {"land_batch": "failed", "judge_0": "success", "judge_1": "failed", "judge_2": "failed"}
    task = Task(states=states, notes={("land_batch", -1): 1, ("judge", 1): 1})

    RUN_FAILED(task.context(reason="task_failure"))

    assert inbox.mail["subject"] == "[sluice] housing ingest lost: judge_2"
    run = "http://airflow.test/dags/housing_ingest/runs/scheduled__2026-05-01T01%3A00%3A00%2B00%3A00"
    assert f'href="{run}/tasks/judge/mapped/2"' in inbox.html


def test_a_run_that_took_too_long_says_so(inbox: Inbox, ledger: Warehouse) -> None:
    RUN_FAILED(Task(states={"land_batch": "skipped"}).context(reason="timed_out"))

    assert inbox.mail["subject"] == "[sluice] housing ingest run failed: timed out"
    assert "took longer than it may" in inbox.text


def test_a_run_that_nothing_is_known_about_is_told_all_the_same(inbox: Inbox, ledger: Warehouse) -> None:
    RUN_FAILED({"dag": Task(), "run_id": RUN})

    assert "Reason: unknown" in inbox.text


def test_a_mail_that_cannot_be_sent_leaves_no_note_and_disturbs_nothing(ledger: Warehouse) -> None:
    task = Task()

    FAILED(task.context(exception=ValueError("boom")))

    assert not task.notes


def test_the_end_of_the_log_is_in_the_mail(
    inbox: Inbox, ledger: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
    assert conf.get("logging", "base_log_folder") == str(tmp_path)
    folder = tmp_path / "dag_id=housing_ingest" / f"run_id={RUN}" / "task_id=land_batch"
    folder.mkdir(parents=True)
    lines = [f'{{"timestamp": "2026-05-01T01:00:{n:02d}Z", "level": "info", "event": "row {n}"}}' for n in range(30)]
    (folder / "attempt=3.log").write_text("\n".join(lines) + "\n", encoding="utf-8")

    FAILED(Task().context(exception=ValueError("boom")))

    assert "01:00:29 info row 29" in inbox.text
    assert "row 10" in inbox.text
    assert "row 9 " not in inbox.text
