"""One fault is one mail and its end another, whatever is away meanwhile and however often the watcher is restarted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sluice.adapters.incidents import Incidents
from sluice.adapters.letters import Letter
from sluice.adapters.warehouse import Warehouse
from sluice.domain.alert import Alert
from tests.unit.watcher.conftest import Inbox
from watcher.confirmation import Confirmed
from watcher.journal import Journal
from watcher.mail import Postman
from watcher.memory import Memory
from watcher.sight import Look, Seen

USE_CASES = Path(__file__).parents[3] / "include" / "use_cases"
DOWN = "[sluice] platform airflow is dead: scheduler"
UP = "[sluice] platform airflow recovered: scheduler"
LOOK = Look("scheduler", "scheduler", lambda: Seen())


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def dead() -> Confirmed:
    alert = Alert(
        cause="scheduler",
        use_case="platform",
        stage="airflow",
        kind="scheduler_down",
        headline="scheduler",
        error="no sign of life",
        links=(("Airflow", "http://airflow.test/"),),
    )
    return Confirmed(alert, 70)


@pytest.fixture
def ledger(warehouse: Warehouse) -> Warehouse:
    """The warehouse of this module, without incidents."""
    warehouse.execute("TRUNCATE monitoring.incidents")
    return warehouse


@pytest.fixture
def begin(ledger: Warehouse, inbox: Inbox, tmp_path: Path) -> Callable[[], Journal]:
    """Begins a watcher's journal, anew or again."""

    def journal() -> Journal:
        postman = Postman(inbox.server, "sluice@localhost", "ops@example.test", USE_CASES)
        return Journal(Incidents(ledger), postman.deliver, Memory(tmp_path / "watcher.json"), "http://runbook.test")

    return journal


def incidents(warehouse: Warehouse) -> list[tuple[str, bool, bool, bool]]:
    """Of each incident: its cause, and whether it was mailed, is closed, and its end was mailed."""
    rows = warehouse.rows("SELECT * FROM monitoring.incidents ORDER BY incident_id")
    flags = ("mailed_at", "closed_at", "closing_mailed_at")
    return [(row["cause"], *(row[flag] is not None for flag in flags)) for row in rows]


def test_a_fault_is_one_mail_and_its_end_another(
    begin: Callable[[], Journal], inbox: Inbox, ledger: Warehouse, dead: Confirmed
) -> None:
    journal = begin()
    journal.note([dead], [], now())
    for _ in range(3):
        journal.settle(reachable=True)
    during = inbox.subjects()

    journal.note([], ["scheduler"], now())
    for _ in range(3):
        journal.settle(reachable=True)

    assert during == [DOWN]
    assert inbox.subjects() == [DOWN, UP]
    assert incidents(ledger) == [("scheduler", True, True, True)]
    assert journal.open() == ()


def test_the_mail_says_what_and_leads_on(begin: Callable[[], Journal], inbox: Inbox, dead: Confirmed) -> None:
    journal = begin()
    journal.note([dead], [], now())
    journal.settle(reachable=True)

    [mail] = inbox.mails()
    assert mail.to == ("ops@example.test",)
    for form in (mail.text, mail.html):
        assert "no sign of life" in form
        assert "http://airflow.test/" in form
        assert "http://runbook.test#scheduler_down" in form


def test_while_the_warehouse_is_away_it_is_the_same(
    begin: Callable[[], Journal], inbox: Inbox, ledger: Warehouse, dead: Confirmed
) -> None:
    journal = begin()
    journal.note([dead], [], now())
    for _ in range(3):
        journal.settle(reachable=False)
    journal.note([], ["scheduler"], now())
    for _ in range(3):
        journal.settle(reachable=False)
    apart = inbox.subjects()
    known = incidents(ledger)

    for _ in range(3):
        journal.settle(reachable=True)

    assert apart == [DOWN, UP]
    assert known == []
    assert inbox.subjects() == [DOWN, UP]
    assert incidents(ledger) == [("scheduler", True, True, True)]


def test_what_was_told_while_the_warehouse_was_away_is_entered_when_it_is_back(
    begin: Callable[[], Journal], inbox: Inbox, ledger: Warehouse, dead: Confirmed
) -> None:
    journal = begin()
    journal.note([dead], [], now())
    journal.settle(reachable=False)
    journal.settle(reachable=True)
    during = incidents(ledger)

    journal.note([], ["scheduler"], now())
    journal.settle(reachable=True)

    assert during == [("scheduler", True, False, False)]
    assert inbox.subjects() == [DOWN, UP]


@pytest.mark.parametrize("reachable", [True, False], ids=["with the warehouse", "without"])
def test_a_watcher_that_is_started_again_repeats_nothing(
    begin: Callable[[], Journal], inbox: Inbox, dead: Confirmed, reachable: bool
) -> None:
    first = begin()
    first.note([dead], [], now())
    first.settle(reachable=reachable)

    second = begin()
    known = second.open()
    second.settle(reachable=reachable)
    second.note([], ["scheduler"], now())
    second.settle(reachable=reachable)

    assert known == ("scheduler",)
    assert inbox.subjects() == [DOWN, UP]


@pytest.mark.parametrize("reachable", [True, False], ids=["with the warehouse", "without"])
def test_a_mail_that_could_not_be_sent_is_sent_when_the_server_is_back(
    begin: Callable[[], Journal], inbox: Inbox, dead: Confirmed, reachable: bool
) -> None:
    journal = begin()
    inbox.stop()
    journal.note([dead], [], now())
    journal.settle(reachable=reachable)
    unsent = journal.unsaid()

    inbox.start()
    for _ in range(2):
        journal.settle(reachable=reachable)

    assert unsent
    assert journal.unsaid() == 0
    assert inbox.subjects() == [DOWN]


def test_a_server_that_hangs_is_waited_for_once_a_round(ledger: Warehouse, dead: Confirmed, tmp_path: Path) -> None:
    tried: list[str] = []

    def hangs(alert: Alert, _: Letter) -> None:
        tried.append(alert.cause)
        raise TimeoutError("timed out")

    journal = Journal(Incidents(ledger), hangs, Memory(tmp_path / "watcher.json"))
    others = [replace(dead, alert=replace(dead.alert, cause=f"disk:{number}")) for number in range(5)]
    journal.note([dead, *others], [], now())

    for reachable in (False, True):
        tried.clear()
        journal.settle(reachable=reachable)

        assert len(tried) == 1


@pytest.mark.parametrize("reachable", [True, False], ids=["with the warehouse", "without"])
def test_what_healed_before_anybody_could_be_told_is_no_news(
    begin: Callable[[], Journal], inbox: Inbox, dead: Confirmed, reachable: bool
) -> None:
    journal = begin()
    inbox.stop()
    journal.note([dead], [], now())
    journal.settle(reachable=reachable)
    journal.note([], ["scheduler"], now())
    journal.settle(reachable=reachable)

    inbox.start()
    for _ in range(2):
        journal.settle(reachable=reachable)

    assert inbox.subjects() == []


def test_what_somebody_else_told_is_not_told_again_and_its_end_is(
    begin: Callable[[], Journal], inbox: Inbox, ledger: Warehouse, dead: Confirmed
) -> None:
    others = Incidents(ledger)
    others.open(dead.alert, now())
    others.mailed("scheduler")
    journal = begin()

    journal.adopt([LOOK])
    known = journal.open()
    journal.note([], ["scheduler"], now())
    journal.settle(reachable=True)

    assert known == ("scheduler",)
    assert inbox.subjects() == [UP]


def test_what_nobody_looks_at_any_more_is_given_up_in_silence(
    begin: Callable[[], Journal], inbox: Inbox, ledger: Warehouse, dead: Confirmed
) -> None:
    journal = begin()
    journal.note([dead], [], now())
    journal.settle(reachable=True)

    journal.forget_others([Look("disk", "disk:", lambda: Seen())])

    assert journal.open() == ()
    assert inbox.subjects() == [DOWN]
    assert [closed for _, _, closed, _ in incidents(ledger)] == [True]


def test_a_memory_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "watcher.json"
    path.write_text('[{"alert": 1}]')

    memory = Memory(path)
    memory.save()

    assert memory.faults == {}
    assert path.read_text() == "[]"


def test_only_its_owner_reads_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "watcher.json"
    Memory(path).save()

    assert path.stat().st_mode & 0o077 == 0
