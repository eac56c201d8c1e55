"""A model that is good on the whole must be good on every slice, or the slice is too small to tell."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.metrics import Scores
from sluice.domain.evidence import Check
from sluice.domain.policy import Slice
from sluice.domain.use_case import UseCase
from sluice.gate import slices

HOMES = ["own"] * 60 + ["rent"] * 60
ROWS = pd.DataFrame({"home": HOMES, "age": range(120)})
ACTUAL = np.tile([0.0, 1.0], 60)


def right_for(rows: list[bool]) -> Scores:
    """What a model says that knows the class of some rows, and is wrong about all others."""
    sure = np.where(rows, ACTUAL, 1 - ACTUAL) * 0.8 + 0.1
    return np.column_stack([1 - sure, sure])


def sliced(use_case: UseCase, **policy: Any) -> UseCase:
    gate = use_case.gate.model_copy(update={"slices": (Slice.model_validate(policy),)})
    return use_case.model_copy(update={"gate": gate})


def verdicts(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.code: check.verdict for check in checks}


def test_a_slice_that_does_badly_fails_by_name(loans: UseCase) -> None:
    use_case = sliced(loans, column="home", thresholds={"f1": {"min": 0.78}})

    checks, notes = slices.judge(use_case, ROWS, ACTUAL, right_for([home == "own" for home in HOMES]))

    assert verdicts(checks) == {"slice.home.own.f1": "pass", "slice.home.rent.f1": "fail"}
    assert checks[1].message == "F1 among home = rent is 0, at least 0.78 is needed"
    assert (checks[0].value, checks[0].limit) == (1.0, ">= 0.78")
    assert notes == ()


def test_bands_and_several_bounds_make_a_check_each(loans: UseCase) -> None:
    thresholds = {"accuracy": {"min": 0.5}, "log_loss": {"max": 0.2}}
    use_case = sliced(loans, column="age", edges=(50,), thresholds=thresholds)

    checks, _ = slices.judge(use_case, ROWS, ACTUAL, right_for([age < 50 for age in range(120)]))

    assert verdicts(checks) == {
        "slice.age.below_50.accuracy": "pass",
        "slice.age.below_50.log_loss": "pass",
        "slice.age.from_50.accuracy": "fail",
        "slice.age.from_50.log_loss": "fail",
    }


def test_a_small_slice_is_noted_and_neither_passes_nor_fails(loans: UseCase) -> None:
    use_case = sliced(loans, column="home", thresholds={"accuracy": {"min": 0.9}}, min_rows=61)

    checks, notes = slices.judge(use_case, ROWS, ACTUAL, right_for([True] * 120))

    assert checks == ()
    assert notes == ("slices with too few held-out rows to tell, under 61: home = own (60), home = rent (60)",)


def test_as_many_rows_as_needed_are_enough(loans: UseCase) -> None:
    use_case = sliced(loans, column="home", thresholds={"accuracy": {"min": 0.9}}, min_rows=60)

    checks, notes = slices.judge(use_case, ROWS, ACTUAL, right_for([True] * 120))

    assert (len(checks), notes) == (2, ())


def test_rows_without_a_value_are_a_slice(loans: UseCase) -> None:
    use_case = sliced(loans, column="home", thresholds={"accuracy": {"min": 0.9}}, min_rows=30)
    rows = ROWS.assign(home=[None] * 30 + HOMES[30:])

    checks, _ = slices.judge(use_case, rows, ACTUAL, right_for([False] * 30 + [True] * 90))

    assert verdicts(checks) == {
        "slice.home.own.accuracy": "pass",
        "slice.home.rent.accuracy": "pass",
        "slice.home.missing.accuracy": "fail",
    }


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "f1", "recall", "precision"])
def test_what_a_slice_cannot_tell_is_unknown(loans: UseCase, metric: str) -> None:
    use_case = sliced(loans, column="home", thresholds={metric: {"min": 0.1}})
    actual = np.where(np.array(HOMES) == "own", 0.0, ACTUAL)

    checks, _ = slices.judge(use_case, ROWS, actual, right_for([True] * 120))

    assert verdicts(checks) == {f"slice.home.own.{metric}": "unknown", f"slice.home.rent.{metric}": "pass"}


def test_a_number_is_judged_by_slices_too(line: UseCase) -> None:
    use_case = sliced(line, column="y", edges=(50,), thresholds={"mae": {"max": 1}})
    actual = np.arange(120.0)

    checks, _ = slices.judge(use_case, pd.DataFrame({"y": actual}), actual, np.where(actual < 50, actual, actual + 2))

    assert verdicts(checks) == {"slice.y.below_50.mae": "pass", "slice.y.from_50.mae": "fail"}
