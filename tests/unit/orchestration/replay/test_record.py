"""The record of a replay, what is expected of it, and its page."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest

from sluice.domain.use_case import UseCase
from sluice.orchestration.replay import outcome, page, record
from sluice.orchestration.replay.record import Check, Day, Measured, Moved, Training
from tests.unit.orchestration.replay.conftest import scenario, world

QUIET = Check("stable", "Stable.")


def day(number: int, **fields: Any) -> Day:
    """A quiet day of an unchanged world, with some fields changed."""
    usual: dict[str, Any] = {
        "strength": 0.0,
        "unchanged": True,
        "version": 1,
        "accepted": True,
        "refusal": "",
        "asked": 300,
        "labelled": 300,
        "checks": {"drift": QUIET, "quality": QUIET, "performance": QUIET},
        "columns": (Moved("area", 0.02, 0.1, drifted=False), Moved("age", None, 0.1, drifted=None)),
        "drifted_share": 0.0,
        "metrics": (Measured("estimated", 10.0, 9.0, 11.0, 600), Measured("promised", 10.0, None, None, 0)),
        "hindsight": 10.5,
    }
    return Day(number, **{**usual, **fields})


def alarmed(number: int, kind: str, response: str = "alert", **fields: Any) -> Day:
    """A day on which one check called for something."""
    checks = {"drift": QUIET, "quality": QUIET, "performance": QUIET}
    return day(number, checks={**checks, kind: Check("drifted", "Drifted: <all>.", response, "so", True)}, **fields)


def judged(days: tuple[Day, ...], **expected: Any) -> dict[str, tuple[str, bool]]:
    """What was expected of days whose world changes on the third, and what was found."""
    told = scenario(changes=[{"from_day": 3, "shift": 1}], expected={"estimates_within": 0.5, **expected})
    retrainings = tuple((each.number, each.training) for each in days if each.training)
    return {each.what: (each.found, each.met) for each in outcome.judge(told, days, retrainings, 5)}


def test_an_alarm_on_a_day_without_change_is_a_false_one() -> None:
    days = (day(1), alarmed(2, "quality"), alarmed(3, "drift", unchanged=False), day(4, unchanged=False))

    what = "alarms on at most 40% of the days without any change"

    assert judged(days, false_alarm_rate=0.4)[what] == ("1 of 2, on day 2 by quality", False)


@pytest.mark.parametrize(
    ("on", "told"),
    [(4, ("on day 4, after 2 days", True)), (5, ("on day 5, after 3 days", False)), (None, ("never", False))],
)
def test_a_change_must_be_found_in_time_by_its_own_check(on: int | None, told: tuple[str, bool]) -> None:
    days = tuple(
        alarmed(number, "drift" if number == on else "quality", unchanged=number < 3) for number in range(1, 7)
    )

    found = judged(days, breach="drift", found_within_days=2)

    assert found["found by the drift check within 2 days"] == told


def test_trainings_and_what_the_gate_let_through_are_counted() -> None:
    trained = [Training("drift", "so", 2, "reject:change.rmse", "no"), Training("drift", "so", 3, "promote", "yes")]
    days = tuple(day(number, training=each) for number, each in enumerate(trained, start=1))

    found = judged(days, retrainings=[1, 1], promotions=1)

    assert found["1 training"] == ("2 (day 1, day 2)", False)
    assert found["each of them decided by the gate"] == ("2 of 2", True)
    assert found["at least 1 of them let through by the gate"] == ("1", True)


def test_trainings_must_not_follow_each_other_within_the_cool_down() -> None:
    trained = Training("drift", "so", 2, "reject:change.rmse", "no")
    days = tuple(day(number, training=trained) for number in (4, 9, 13))
    what = "at least 5 days from one training to the next"

    assert judged(days[:2])[what] == ("5", True)
    assert judged(days)[what] == ("4", False)
    assert what not in judged(days[:1])


def test_a_training_that_the_gate_could_not_judge_is_not_what_was_expected() -> None:
    days = (day(1, training=Training("drift", "so", 2, "undecided:transient", "away")),)

    assert judged(days, retrainings=[1, 1])["each of them decided by the gate"] == ("0 of 1", False)


def test_an_estimate_holds_where_its_bounds_hold_what_was_realised_in_the_end() -> None:
    days = (day(1), day(2, hindsight=11.5), day(3, hindsight=None), day(4, metrics=()))

    assert [each.estimate_holds for each in days] == [True, False, None, None]
    assert judged(days)["estimates without labels hold on at least 50% of the days"] == ("1 of 2", True)


def test_a_replay_without_any_estimate_has_shown_nothing() -> None:
    assert judged((day(1, metrics=()),))["estimates without labels hold on at least 50% of the days"][1] is False


def test_the_table_has_a_line_for_each_day() -> None:
    days = (day(1), alarmed(2, "drift", "retrain", training=Training("drift", "so", 2, "promote", "yes")))

    first, second = csv.DictReader(io.StringIO(record.table(days)))

    assert (first["day"], first["drift_verdict"], first["estimated_low"], first["estimate_holds"]) == (
        "1",
        "stable",
        "9",
        "true",
    )
    assert (second["drift_response"], second["trained_version"], second["decision"]) == ("retrain", "2", "promote")
    assert first["realised"] == ""


def test_the_page_needs_nothing_else_and_shows_what_happened(lets: UseCase) -> None:
    first = day(0, training=Training("", "the first release", 1, "promote", "all checks passed"))
    retrained = alarmed(
        3, "drift", "retrain", strength=1.0, unchanged=False, training=Training("drift", "so", 2, "promote", "yes")
    )
    days = (first, day(1), day(2), retrained, day(4, version=2, strength=1.0, unchanged=False))
    days_of = world(lets, {"from_day": 3, "shift": 1}, expected={"breach": "drift", "found_within_days": 1})

    html = page.render(days_of, days, outcome.judge(days_of.scenario, days[1:], ((3, retrained.training),), 5), 60)  # type: ignore[arg-type]

    assert not re.search(r"(?:src|href|url)\s*[=(]", html)
    assert "on day 3, after 1 day" in html
    assert "Drifted: &lt;all&gt;." in html
    assert html.count('<tr><td class="short">') == 2
    # A heat map of both columns, four days each, of which the one that nobody could tell is grey.
    assert len(re.findall(r'<rect x="\d+" y="0" width="1"', html)) == 8
    assert html.count('fill="var(--unknown)"') == 4
    assert "nan" not in html
    assert "None" not in html
