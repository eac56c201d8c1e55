"""Groups of people may be only so far apart; groups too small to tell are named and left out."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.metrics import Scores
from sluice.domain.evidence import Check
from sluice.domain.policy import Fairness
from sluice.domain.use_case import UseCase
from sluice.gate import fairness

ROWS = pd.DataFrame({"home": ["own"] * 100 + ["rent"] * 100, "age": range(200)})
ACTUAL = np.tile([0.0, 1.0], 100)


def judged(use_case: UseCase, rows: pd.DataFrame, called: Any, **policy: Any) -> tuple[tuple[Check, ...], Any]:
    """Judge a model that calls the given rows positive."""
    gate = use_case.gate.model_copy(update={"fairness": (Fairness.model_validate(policy),)})
    positive = np.where(called, 0.9, 0.1)
    scores: Scores = np.column_stack([1 - positive, positive])
    return fairness.judge(use_case.model_copy(update={"gate": gate}), rows, ACTUAL, scores)


def first(own: int, rent: int) -> Any:
    """Call the first so many rows of each group positive."""
    return [i < own for i in range(100)] + [i < rent for i in range(100)]


def test_the_distance_between_groups_is_judged_by_difference_and_by_ratio(loans: UseCase) -> None:
    checks, notes = judged(loans, ROWS, first(60, 45), column="home", max_difference=0.2, min_ratio=0.8)

    difference, ratio = checks
    assert (difference.code, difference.verdict) == ("fairness.home.selection_rate.difference", "pass")
    assert difference.value == pytest.approx(0.15)
    assert difference.interval == pytest.approx((0.01, 0.29), abs=0.03)
    assert (ratio.code, ratio.verdict) == ("fairness.home.selection_rate.ratio", "fail")
    assert ratio.value == pytest.approx(0.75)
    assert ratio.message == (
        "the ratio of the selection rate between groups, from 0.45 where home = rent to 0.6 where home = own, "
        "is 0.75, at least 0.8 is needed"
    )
    assert notes == ()


@pytest.mark.parametrize(
    ("metric", "called", "difference"),
    [
        pytest.param("true_positive_rate", ACTUAL * (np.arange(200) < 100), 1.0, id="finds only one group's"),
        pytest.param("false_positive_rate", (1 - ACTUAL) * (np.arange(200) < 100), 1.0, id="accuses only one group"),
        pytest.param("false_positive_rate", ACTUAL, 0.0, id="accuses nobody"),
        pytest.param("accuracy", np.where(np.arange(200) < 100, ACTUAL, 1 - ACTUAL), 1.0, id="right for one group"),
    ],
)
def test_each_metric_is_of_the_positive_class(loans: UseCase, metric: str, called: Any, difference: float) -> None:
    [check], _ = judged(loans, ROWS, called, column="home", metric=metric, max_difference=0.5)

    assert check.value == pytest.approx(difference)


def test_a_small_group_is_noted_and_left_out(loans: UseCase) -> None:
    rows = ROWS.assign(home=[None] * 10 + list(ROWS["home"][10:]))
    called = [True] * 10 + [False] * 190

    [check], notes = judged(loans, rows, called, column="home", max_difference=0.1)

    assert check.verdict == "pass"
    assert notes == (
        "groups for the selection rate with too few held-out rows to tell, under 50: home is missing (10)",
    )


def test_a_rate_needs_enough_of_the_rows_that_it_is_a_share_of(loans: UseCase) -> None:
    called = [True] * 200
    policy = {"column": "home", "max_difference": 0.5, "min_rows": 51}

    [selection], none = judged(loans, ROWS, called, metric="selection_rate", **policy)
    [found], notes = judged(loans, ROWS, called, metric="true_positive_rate", **policy)

    # Each group has 100 rows, and 50 of them are positive.
    assert (selection.verdict, none) == ("pass", ())
    assert found.verdict == "unknown"
    assert "home = own (50), home = rent (50)" in notes[0]


def test_one_group_alone_cannot_be_judged(loans: UseCase) -> None:
    checks, _ = judged(loans, ROWS.assign(home="own"), first(60, 45), column="home", max_difference=0.2, min_ratio=0.5)

    assert [check.verdict for check in checks] == ["unknown", "unknown"]


def test_a_ratio_of_nothing_to_nothing_is_unknown(loans: UseCase) -> None:
    checks, _ = judged(loans, ROWS, [False] * 200, column="home", max_difference=0.2, min_ratio=0.5)

    assert [check.verdict for check in checks] == ["pass", "unknown"]


def test_bands_of_a_number_are_groups(loans: UseCase) -> None:
    [check], _ = judged(loans, ROWS, first(0, 100), column="age", edges=(100,), max_difference=0.2)

    assert check.value == 1.0
    assert "age < 100" in check.message
