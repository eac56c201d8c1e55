"""Held-out rows must be like those to train on, and the model must do about as well on them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.metrics import Scores, Vector
from sluice.domain.columns import Column
from sluice.domain.use_case import UseCase
from sluice.gate.answers import Answered
from sluice.gate.generalisation import distance, judge

GENERATOR = np.random.default_rng(6)


def rows(count: int, **columns: Any) -> pd.DataFrame:
    plain = {
        "area": GENERATOR.uniform(0, 100, count),
        "year": GENERATOR.integers(1900, 2001, count),
        "water": GENERATOR.random(count) < 0.3,
    }
    return pd.DataFrame({**plain, **columns})


def answered(frame: pd.DataFrame, noise: float) -> Answered:
    """What a model says that knows the area's worth but for some noise."""
    actual: Vector = frame["area"].to_numpy()
    return Answered(frame, actual, actual + noise * GENERATOR.normal(size=len(frame)))


def test_a_model_that_does_as_well_on_both_passes(plots: UseCase) -> None:
    gap, shift = judge(plots, answered(rows(1000), 3), answered(rows(500), 3))

    assert (gap.code, gap.verdict, shift.code, shift.verdict) == ("gap.r2", "pass", "shift", "pass")
    assert gap.interval is not None
    assert gap.value is not None
    assert gap.interval[0] <= gap.value <= gap.interval[1]


def test_a_model_that_knows_its_rows_by_heart_fails(plots: UseCase) -> None:
    gap, _ = judge(plots, answered(rows(1000), 0.1), answered(rows(500), 20))

    assert gap.verdict == "fail"
    assert "the loss of R² from 1 on rows to train on to 0." in gap.message


@pytest.mark.parametrize("classes", [2, 3])
def test_of_classes_the_area_under_the_roc_curve_is_compared(loans: UseCase, classes: int) -> None:
    names = ("low", "middle", "high")[:classes]
    target = loans.target_column.model_copy(update={"categories": names})
    use_case = loans.model_copy(
        update={
            "task": "binary" if classes == 2 else "multiclass",
            "positive_label": names[-1] if classes == 2 else None,
            "columns": (*loans.columns[:-1], target),
        }
    )

    def part(noise: float) -> Answered:
        actual = GENERATOR.integers(0, classes, 900).astype(np.float64)
        odds = np.exp(np.eye(classes)[actual.astype(int)] + noise * GENERATOR.normal(size=(900, classes)))
        scores: Scores = odds / odds.sum(axis=1, keepdims=True)
        return Answered(pd.DataFrame({"income": GENERATOR.normal(size=900)}), actual, scores)

    gap, _ = judge(use_case, part(0.1), part(5))

    assert (gap.code, gap.verdict) == ("gap.roc_auc", "fail")


def test_the_input_that_differs_most_is_named(plots: UseCase) -> None:
    _, shift = judge(plots, answered(rows(1000), 3), answered(rows(500, year=1990, water=True), 3))

    assert shift.verdict == "fail"
    assert "'year'" in shift.message
    assert "1 more inputs differ too" in shift.message
    assert shift.value == pytest.approx(0.89, abs=0.05)


def test_few_rows_that_differ_as_much_by_chance_do_not_fail(plots: UseCase) -> None:
    alarms = 0
    for _ in range(100):
        _, shift = judge(plots, answered(rows(100), 3), answered(rows(20), 3))
        alarms += shift.verdict == "fail"

    assert alarms <= 3


def test_a_distance_that_chance_explains_is_said(plots: UseCase) -> None:
    train, test = rows(100), rows(8)
    test["area"] = np.linspace(40, 99, 8)

    _, shift = judge(plots, answered(train, 3), answered(test, 3))

    assert shift.verdict == "pass"
    assert "so few rows differ as much by chance" in shift.message


@pytest.mark.parametrize(
    ("kind", "first", "second", "value"),
    [
        ("number", [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], 0.0),
        ("number", [1.0, 2.0], [3.0, 4.0], 1.0),
        ("number", [1.0, 2.0], [np.nan, np.nan, 1.0, 2.0], 0.5),
        ("integer", [1, 1, 2, 2], [1, 1, 1, 2], 0.25),
        ("category", ["a", "a", "b", "b"], ["a", "a", "a", None], 0.5),
        ("category", ["a", "a"], ["a"], 0.0),
        ("boolean", [True, False], [True, True], 0.5),
    ],
)
def test_a_distance_is_none_of_like_and_one_of_unlike(kind: Any, first: Any, second: Any, value: float) -> None:
    column = Column(name="c", type=kind, categories=("a", "b") if kind == "category" else None)

    found = distance(column, pd.Series(first), pd.Series(second))

    assert found.value == pytest.approx(value)
    assert 0 <= found.chance <= 1
