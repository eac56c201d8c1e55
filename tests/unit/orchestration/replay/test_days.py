"""Days: rows of the use case's own sample, changed as the scenario says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sluice.domain.use_case import UseCase
from sluice.ingestion import samples
from sluice.orchestration.replay.days import Days
from tests.unit.orchestration.replay.conftest import scenario, world

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).resolve().parents[4] / "include" / "use_cases"


def test_a_day_is_the_same_for_the_same_seed_and_another_for_another(lets: UseCase) -> None:
    assert world(lets).lines(3) == world(lets).lines(3)
    assert world(lets).lines(3) != world(lets).lines(4)
    assert world(lets).lines(3) != world(lets, seed=1).lines(3)


def test_a_day_before_the_change_is_what_it_is_without_one(lets: UseCase) -> None:
    changed = world(lets, {"from_day": 5, "shift": 1})

    assert changed.lines(4) == world(lets).lines(4)
    assert changed.lines(5) != world(lets).lines(5)


def test_a_shift_moves_numbers_by_their_standard_deviation_and_what_follows_from_them(lets: UseCase) -> None:
    before = world(lets).asked(5)
    after = world(lets, {"from_day": 5, "shift": 0.5}).asked(5)

    for column, spread in (("area", 20), ("age", 15), ("storeys", 2)):
        assert np.mean(after[column]) - np.mean(before[column]) == pytest.approx(0.5 * spread, rel=0.1)
    assert np.mean(after["rent"]) - np.mean(before["rent"]) == pytest.approx(0.5 * 20 * 10, rel=0.1)


def test_a_change_of_one_column_leaves_the_others(lets: UseCase) -> None:
    before = world(lets).asked(5)
    after = world(lets, {"from_day": 5, "shift": 1, "columns": ["age"]}).asked(5)

    assert list(after["area"]) == list(before["area"])
    assert np.mean(after["age"]) > np.mean(before["age"]) + 10


def test_a_mix_makes_the_first_category_more_likely(lets: UseCase) -> None:
    before = world(lets).asked(5)["district"]
    after = world(lets, {"from_day": 5, "mix": 4}).asked(5)["district"]

    # One in five, and then four in eight.
    assert (before == "old town").mean() == pytest.approx(0.2, abs=0.07)
    assert (after == "old town").mean() == pytest.approx(0.5, abs=0.07)


def test_a_broken_feed_leaves_what_may_be_empty_and_brings_less(lets: UseCase) -> None:
    rows = world(lets, {"from_day": 5, "missing": 0.5, "volume": 0.4}).asked(5)

    assert len(rows) == 0.4 * 300
    assert rows["age"].isna().mean() == pytest.approx(0.5, abs=0.12)
    assert not rows["area"].isna().any()


def test_what_the_endpoint_would_refuse_gets_no_answer(lets: UseCase) -> None:
    strict = lets.model_copy(update={"serving": lets.serving.model_copy(update={"missing": "reject"})})

    rows = world(strict, {"from_day": 5, "missing": 0.5}).asked(5)

    assert len(rows) == pytest.approx(150, abs=35)
    assert not rows["age"].isna().any()


def test_a_concept_change_of_numbers_scales_the_target_and_nothing_else(lets: UseCase) -> None:
    before = world(lets).asked(5)
    after = world(lets, {"from_day": 5, "concept": {"scale": 0.5}}).asked(5)

    assert list(after["area"]) == list(before["area"])
    assert np.allclose(after["rent"], before["rent"] / 2, atol=0.5)


def test_a_concept_change_of_classes_makes_the_last_one_likelier_for_the_same_rows(
    use_cases: tuple[UseCase, ...],
) -> None:
    loan = next(use_case for use_case in use_cases if use_case.name == "loan")

    before, after = (_loans(loan, base) for base in (0.0, 2.0))

    assert list(after["person_income"]) == list(before["person_income"])
    assert (after["loan_status"] == "1").mean() > (before["loan_status"] == "1").mean() + 0.02


def test_half_of_a_change_moves_half_as_far(lets: UseCase) -> None:
    slow = world(lets, {"from_day": 1, "over_days": 2, "shift": 1, "mix": 3, "concept": {"scale": 0.6}})

    half, whole = slow.world(1), slow.world(2)

    assert half.shift["area"] == pytest.approx(whole.shift["area"] / 2)
    assert (half.shares["district"], whole.shares["district"]) == ({"old town": 2}, {"old town": 3})
    assert (half.scale["rent"], whole.scale["rent"]) == (pytest.approx(0.8), pytest.approx(0.6))


def test_an_extract_holds_the_last_days_of_which_the_truth_is_known(lets: UseCase) -> None:
    days = world(lets)

    header, *rows = days.extract(10).splitlines()

    assert header == days.lines(8)[0]
    assert tuple(rows) == days.lines(7)[1:] + days.lines(8)[1:]


def test_every_use_case_that_ships_has_days_that_can_be_asked_about(use_cases: tuple[UseCase, ...]) -> None:
    made = scenario(changes=[{"from_day": 2, "shift": 0.8, "mix": 3}])
    for use_case in use_cases:
        days = Days(made.over(use_case), samples.read(FOLDER / use_case.name), made)

        assert len(days.asked(1)) > 250
        assert len(days.asked(2)) > 250


def _loans(loan: UseCase, base: float) -> pd.DataFrame:
    many = {"rows_per_day": 2000, "predictions_per_day": 2000}
    made = scenario(**many, changes=[{"from_day": 1, "concept": {"base": base}}])
    return Days(made.over(loan), samples.read(FOLDER / loan.name), made).asked(1)
