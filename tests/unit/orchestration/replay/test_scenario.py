"""Scenarios: files that say what happens and what must be seen of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.domain.errors import SpecError
from sluice.domain.use_case import UseCase
from sluice.orchestration.replay import scenario as scenarios
from tests.unit.orchestration.replay.conftest import scenario

SHIPPED = Path(__file__).resolve().parents[4] / "include" / "replays"
EXPECTED = {"clean": None, "sudden": "drift", "slow": "drift", "broken_feed": "quality", "concept": "performance"}


def test_every_scenario_that_ships_can_be_read_and_fits_every_use_case(use_cases: tuple[UseCase, ...]) -> None:
    shipped = {path.stem: scenarios.read(path) for path in SHIPPED.glob("*.yaml")}

    assert {name: each.expected.breach for name, each in shipped.items()} == EXPECTED
    for each in shipped.values():
        for use_case in use_cases:
            assert each.over(use_case).source.mode == "replace"


def test_a_scenario_is_found_by_its_name_or_its_path(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("title: Mine")

    assert scenarios.find(SHIPPED, "clean") == SHIPPED / "clean.yaml"
    assert scenarios.find(SHIPPED, str(own)) == own
    with pytest.raises(SpecError, match=r"there is no scenario 'sudenn'.*use one of: broken_feed, clean, concept"):
        scenarios.find(SHIPPED, "sudenn")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("title: A\ndays: 3", ":2", "days: Extra inputs are not permitted"),
        ("title: A\nchanges:\n  - from_day: 2\n  - {from_day: 3, shfit: 1}", ":4", r"changes\.1\.shfit: Extra"),
        ("title: A\nchanges:\n  - {from_day: 9, until_day: 10, over_days: 5}", ":3", "whole.*day 13"),
        ("title: A\nrows_per_day: 10\npredictions_per_day: 20", ":1", "20 of 10 rows cannot be"),
        ("title: A\nexpected: {breach: drift}", ":2", "belong together"),
        ("title: A\nexpected: {retrainings: [3, 1]}", ":2", "3 is more than 1"),
        ("title: [", "", "cannot be read"),
        ("- title", ":1", "scenario: "),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_the_next_step(tmp_path: Path, text: str, line: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)

    with pytest.raises(SpecError) as caught:
        scenarios.read(path)

    assert caught.match(f"(?s){told}")
    assert caught.value.where == f"{path}{line}"
    assert caught.match("-> correct")


def test_its_policy_is_laid_over_that_of_the_use_case(lets: UseCase) -> None:
    over = scenario(monitoring={"breaches": 2, "windows": 3, "drift": {"response": "retrain"}}).over(lets)

    assert (over.monitoring.breaches, over.monitoring.drift.response) == (2, "retrain")
    assert over.monitoring.drift.numerical == lets.monitoring.drift.numerical
    assert over.monitoring.performance == lets.monitoring.performance


def test_a_policy_that_is_none_is_refused(lets: UseCase) -> None:
    with pytest.raises(SpecError, match=r"drift\.respones.*scenario's `monitoring`"):
        scenario(monitoring={"drift": {"respones": "retrain"}}).over(lets)


def test_a_change_comes_about_in_equal_steps_and_may_end() -> None:
    [slow, broken] = scenario(
        changes=[{"from_day": 3, "over_days": 4, "shift": 1}, {"from_day": 2, "until_day": 3, "missing": 0.5}]
    ).changes

    assert [slow.strength(day) for day in range(2, 8)] == [0, 0.25, 0.5, 0.75, 1, 1]
    assert [broken.strength(day) for day in range(1, 5)] == [0, 1, 1, 0]


def test_a_day_counts_as_unchanged_once_nothing_that_is_seen_on_it_is_of_the_change() -> None:
    told = scenario(changes=[{"from_day": 10, "until_day": 11, "missing": 0.5}], label_delay_days=1, extract_days=2)

    unchanged = [day for day in range(8, 18) if told.unchanged(day)]

    assert unchanged == [8, 9, 15, 16, 17]
