import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from airflow.sdk.exceptions import AirflowFailException

from local.ports import free_port
from sluice.domain.errors import BatchRejected
from sluice.domain.use_case import UseCase
from sluice.orchestration.alerts import ALERTED_XCOM, alerts, platform_alerts
from sluice.settings import settings

RUN = "scheduled__2026-05-01T01:00:00+00:00"


class Catcher:
    """A mail server that keeps what it gets."""

    def __init__(self, mails: list[EmailMessage]) -> None:
        self.mails = mails

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


class Inbox:
    """What the mail server got."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    @property
    def mail(self) -> EmailMessage:
        """The only mail."""
        (mail,) = self.mails
        return mail

    @property
    def html(self) -> str:
        """The only mail's body."""
        body = self.mail.get_body(("html",))
        assert body is not None
        content: str = body.get_content()
        return content

    @property
    def text(self) -> str:
        """What the only mail says, without its markup."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.html).split())


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    """A real mail server that Airflow's connection points at."""
    inbox = Inbox()
    port = free_port()
    server = Controller(Catcher(inbox.mails), hostname="127.0.0.1", port=port)
    server.start()
    extra = "disable_ssl=true&disable_tls=true"
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{port}?{extra}")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.test")
    settings.cache_clear()
    yield inbox
    server.stop()
    settings.cache_clear()


@dataclass
class Task:
    """As much of Airflow's running task as a callback touches."""

    task_id: str = "land_batch"
    dag_id: str = "housing_ingest"
    map_index: int = -1
    try_number: int = 3
    retries: int = 2
    log_url: str = "http://airflow.test/log"
    states: dict[str, str] = field(default_factory=dict)
    notes: dict[tuple[str, int], int] = field(default_factory=dict)
    task_ids: tuple[str, ...] = ("land_batch", "judge")

    def context(self, **more: Any) -> dict[str, Any]:
        return {"ti": self, "task": self, "dag": self, "run_id": RUN, **more}

    def xcom_push(self, key: str, value: int) -> None:
        assert key == ALERTED_XCOM
        self.notes[self.task_id, self.map_index] = value

    def xcom_pull(self, task_ids: str, map_indexes: int, key: str) -> int | None:
        assert key == ALERTED_XCOM
        return self.notes.get((task_ids, map_indexes))

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        return dict.fromkeys(run_ids, self.states)


def test_a_failed_task_tells_its_owner_what_to_do(inbox: Inbox, housing: UseCase) -> None:
    task = Task()
    error = AirflowFailException("wrapped")
    error.__cause__ = BatchRejected("12 % of <rows> are {{ bad }}", "batch 4", "look at quarantine.housing")

    alerts(housing, "ingest").task[0](task.context(exception=error))

    assert inbox.mail["subject"] == "[sluice] housing ingest failed: land_batch"
    assert inbox.mail["to"] == ", ".join(housing.owner.alerts)
    assert "housing_ingest.land_batch" in inbox.text
    assert RUN in inbox.text
    assert "Try 3 of 3" in inbox.text
    assert "batch: 12 % of &lt;rows&gt; are {{ bad }} [batch 4]" in inbox.text
    assert "What to do: look at quarantine.housing" in inbox.text
    assert task.notes == {("land_batch", -1): 3}


def test_any_other_error_is_told_with_its_type_and_a_next_step(inbox: Inbox, housing: UseCase) -> None:
    alerts(housing, "ingest").task[0](Task().context(exception=ValueError("boom")))

    assert "ValueError: boom" in inbox.text
    assert "What to do: Read the log" in inbox.text


def test_a_lost_task_leaves_the_mail_to_its_run(inbox: Inbox, housing: UseCase) -> None:
    task = Task()

    alerts(housing, "ingest").task[0](task.context())

    assert not inbox.mails
    assert not task.notes


def test_the_run_is_silent_when_every_failed_task_has_spoken(inbox: Inbox, housing: UseCase) -> None:
    task = Task(states={"land_batch": "failed", "judge": "upstream_failed"}, notes={("land_batch", -1): 1})

    alerts(housing, "ingest").run[0](task.context(reason="task_failure"))

    assert not inbox.mails


def test_the_run_speaks_for_tasks_that_were_killed(inbox: Inbox, housing: UseCase) -> None:
    states = {"land_batch": "failed", "judge_0": "success", "judge_1": "failed", "judge_2": "failed"}
    task = Task(states=states, notes={("land_batch", -1): 1, ("judge", 1): 1})

    alerts(housing, "ingest").run[0](task.context(reason="task_failure"))

    assert inbox.mail["subject"] == "[sluice] housing ingest failed: judge_2"
    run = "http://airflow.test/dags/housing_ingest/runs/scheduled__2026-05-01T01%3A00%3A00%2B00%3A00"
    assert f'href="{run}/tasks/judge/mapped/2"' in inbox.html


def test_a_run_that_took_too_long_says_so(inbox: Inbox, housing: UseCase) -> None:
    alerts(housing, "train").run[0](Task(states={"land_batch": "skipped"}).context(reason="timed_out"))

    assert inbox.mail["subject"] == "[sluice] housing train failed: the run"
    assert "took longer than it may" in inbox.text


def test_a_run_that_nothing_is_known_about_is_told_all_the_same(inbox: Inbox, housing: UseCase) -> None:
    alerts(housing, "train").run[0]({"dag": Task(), "run_id": RUN})

    assert "Reason unknown" in inbox.text


def test_a_mail_that_cannot_be_sent_is_an_error_and_leaves_no_note(
    monkeypatch: pytest.MonkeyPatch, housing: UseCase
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://127.0.0.1:1?disable_ssl=true&disable_tls=true")
    task = Task()

    with pytest.raises(ConnectionRefusedError):
        alerts(housing, "ingest").task[0](task.context(exception=ValueError("boom")))
    assert not task.notes


def test_what_no_use_case_owns_goes_to_the_platform(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_ALERTS_TO", "platform@example.test")
    settings.cache_clear()

    platform_alerts("check").task[0](Task(task_id="check_specs").context(exception=ValueError("boom")))

    assert inbox.mail["to"] == "platform@example.test"
    assert inbox.mail["subject"] == "[sluice] platform check failed: check_specs"


def test_a_dag_file_that_cannot_be_read_is_told_at_once(inbox: Inbox) -> None:
    from sluice.orchestration.import_errors import on_new_dag_import_error

    on_new_dag_import_error("/dags/train.py", "ImportError: no such <module>")

    assert inbox.mail["subject"] == "[sluice] platform import failed: train.py"
    assert "ImportError: no such &lt;module&gt;" in inbox.text
