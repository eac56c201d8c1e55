"""The ledger of incidents: one cause is one mail, whoever sees it, until it heals."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from sluice.adapters.incidents import PATIENCE, REMINDER, Incidents
from sluice.adapters.warehouse import Warehouse
from sluice.domain.alert import Alert

NUMBERS = count(1)
NOW = datetime.now(UTC)
SOON = NOW + timedelta(seconds=5)


@pytest.fixture
def incidents(warehouse: Warehouse) -> Incidents:
    return Incidents(warehouse)


@pytest.fixture
def dag() -> str:
    """A DAG that no other test speaks of."""
    return f"housing_{next(NUMBERS)}"


def alert(dag: str, task: str = "search", run: str = "") -> Alert:
    """A failed task, in a run where one is named."""
    occasion = f"{dag}/{run}" if run else ""
    return Alert(f"task:{dag}.{task}", "housing", "train", "task_failed", task, (("Run", run),), occasion=occasion)


def whole_run(dag: str, run: str) -> Alert:
    """The run that failed, without a word about why."""
    return replace(alert(dag, run=run), cause=f"run:{dag}", kind="run_failed")


def told(incidents: Incidents, seen: Alert, now: datetime = NOW) -> bool:
    """See something, and send the mail where one is due."""
    due = incidents.open(seen, now)
    if due:
        incidents.mailed(seen.cause)
    return due


def test_a_cause_that_is_seen_again_is_counted_and_not_told_again(incidents: Incidents, dag: str) -> None:
    sights = [told(incidents, alert(dag), NOW + timedelta(days=day)) for day in range(3)]

    known = incidents.newest(alert(dag).cause)
    assert sights == [True, False, False]
    assert (known.times, known.opened_at, known.closed_at) == (3, NOW, None)


def test_what_stays_wrong_is_told_again_after_days(incidents: Incidents, dag: str) -> None:
    told(incidents, alert(dag))

    assert not told(incidents, alert(dag), NOW + REMINDER - timedelta(hours=1))
    assert told(incidents, alert(dag), NOW + REMINDER)
    assert not told(incidents, alert(dag), NOW + REMINDER + timedelta(days=1))


def test_of_many_who_see_it_at_once_one_is_to_send_the_mail(incidents: Incidents, dag: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        due = list(pool.map(lambda _: incidents.open(alert(dag), NOW), range(16)))

    assert due.count(True) == 1
    assert incidents.newest(alert(dag).cause).times == 16


def test_of_tasks_of_one_run_that_fail_at_once_one_is_told(incidents: Incidents, dag: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        due = list(pool.map(lambda n: incidents.open(alert(dag, f"task_{n}", "r1"), NOW), range(8)))

    assert due.count(True) == 1


def test_a_run_says_nothing_when_its_task_has(incidents: Incidents, dag: str) -> None:
    told(incidents, alert(dag, run="r1"))

    assert not incidents.open(whole_run(dag, "r1"), NOW)
    assert incidents.newest(alert(dag).cause).times == 2
    assert incidents.open(whole_run(dag, "r2"), NOW), "another run may have failed for something else"


def test_what_followed_once_may_come_first_the_next_time(incidents: Incidents, dag: str) -> None:
    for run, tasks in (("r1", ("left", "right")), ("r2", ("right", "left")), ("r3", ("right", "left"))):
        due = [told(incidents, alert(dag, task, run)) for task in tasks]
        assert due == [run == "r1", False]

    [healed] = incidents.heal(f"task:{dag}.")

    assert healed.headline == "left", "one mail, one recovery"
    assert told(incidents, alert(dag, "right", "r4"))


def test_what_is_known_more_precisely_speaks_for_the_task(incidents: Incidents, dag: str) -> None:
    gate = replace(alert(dag, run="r1"), cause=f"gate:{dag}", kind="gate_rejected")
    withdrawn = replace(alert(dag, run="r2"), cause=f"canary:{dag}", kind="canary_withdrawn")

    told(incidents, gate)
    told(incidents, withdrawn)
    incidents.dismiss(withdrawn.cause)

    assert not incidents.open(alert(dag, run="r1"), NOW)
    assert not incidents.open(alert(dag, run="r2"), NOW), "it is over, and people know of it"


def test_two_precise_things_of_one_run_are_both_told(incidents: Incidents, dag: str) -> None:
    specs = [replace(alert(dag, run="r1"), cause=f"spec:{dag}{n}", kind="spec_broken") for n in (1, 2)]

    assert [told(incidents, spec) for spec in specs] == [True, True]


def test_what_has_healed_is_owed_one_mail_and_may_come_again(incidents: Incidents, dag: str) -> None:
    told(incidents, alert(dag))

    [healed] = incidents.heal(alert(dag).cause)
    incidents.closed(healed.cause)

    assert healed == alert(dag)
    assert incidents.heal(alert(dag).cause) == ()
    assert incidents.newest(healed.cause).closed_at is not None
    assert told(incidents, alert(dag))


def test_a_beginning_heals_all_that_begin_so_but_those_that_are_still_there(incidents: Incidents, dag: str) -> None:
    for task in ("land", "judge", "report"):
        told(incidents, alert(dag, task))
    told(incidents, alert(f"{dag}x"))

    healed = incidents.heal(f"task:{dag}.", still=[alert(dag, "judge").cause])

    assert sorted(each.headline for each in healed) == ["land", "report"]


def test_what_nobody_was_told_of_heals_without_a_word(incidents: Incidents, dag: str) -> None:
    incidents.open(alert(dag), NOW)

    assert incidents.heal(alert(dag).cause) == ()


def test_what_is_dismissed_is_over_and_owed_nothing(incidents: Incidents, dag: str) -> None:
    told(incidents, alert(dag))

    incidents.dismiss(f"task:{dag}.")

    assert incidents.heal(alert(dag).cause) == ()
    assert alert(dag) not in incidents.owed_recoveries(NOW + timedelta(days=1))


def test_a_mail_that_could_not_be_sent_is_due_at_the_next_sight(incidents: Incidents, dag: str) -> None:
    assert incidents.open(alert(dag), NOW)
    incidents.released(alert(dag).cause)

    assert told(incidents, alert(dag), SOON)
    assert not incidents.open(alert(dag), SOON)


def test_a_mail_whose_sender_was_killed_is_anybodys_after_a_while(incidents: Incidents, dag: str) -> None:
    incidents.open(alert(dag), NOW)

    assert alert(dag) not in incidents.owed(SOON), "its sender may be at it"
    assert alert(dag) in incidents.owed(NOW + PATIENCE)
    assert alert(dag) not in incidents.owed(NOW + PATIENCE), "now it is the caller's"


def test_a_recovery_that_could_not_be_told_is_owed(incidents: Incidents, dag: str) -> None:
    told(incidents, alert(dag))
    incidents.heal(alert(dag).cause)
    now = datetime.now(UTC)

    assert alert(dag) not in incidents.owed_recoveries(now)
    incidents.released(alert(dag).cause)
    assert alert(dag) in incidents.owed_recoveries(now)
    incidents.closed(alert(dag).cause)
    assert alert(dag) not in incidents.owed_recoveries(now + timedelta(days=1))


@pytest.mark.parametrize("text", ["a\x00b", "half \ud800 of one", "\\u0000", "x" * 100_000], ids=repr)
def test_whatever_an_exception_says_can_be_kept(incidents: Incidents, dag: str, text: str) -> None:
    said = replace(alert(dag), error=text, headline=text, facts=(("Seen", text),), log=(text,) * 30)

    assert told(incidents, said)
    kept = incidents.newest(said.cause).alert
    assert kept == said.printable()
    assert len(kept.log) == 20
    assert len(kept.error) < 10_000
