"""What a model must do when one input changes: stay as it is, or go one way."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.domain.evidence import Check
from sluice.domain.policy import Gate
from sluice.domain.use_case import UseCase
from sluice.gate import behaviour
from tests.unit.gate.conftest import MakeSum

GENERATOR = np.random.default_rng(3)
ROWS = pd.DataFrame(
    {
        "area": GENERATOR.uniform(10, 100, 400),
        "year": GENERATOR.integers(1900, 2001, 400).astype(float),
        "water": GENERATOR.random(400) < 0.5,
    }
)


def demanding(use_case: UseCase, *policies: dict[str, Any]) -> UseCase:
    gate = Gate.model_validate({**use_case.gate.model_dump(), "behaviour": policies})
    return use_case.model_copy(update={"gate": gate})


def direction(expect: str, **more: Any) -> dict[str, Any]:
    return {"kind": "direction", "column": "area", "step": 10, "expect": expect, **more}


def two_classes(plots: UseCase) -> UseCase:
    target = {**plots.target_column.model_dump(), "type": "category", "categories": ("cheap", "dear")}
    document = plots.model_dump() | {"task": "binary", "positive_label": "dear"}
    document["columns"] = (*(c.model_dump() for c in plots.columns[:-1]), target)
    document["gate"] = {"thresholds": {"roc_auc": {"min": 0.5}}}
    return UseCase.model_validate(document)


def judged(use_case: UseCase, make_sum: MakeSum, weights: list[float], rows: pd.DataFrame = ROWS) -> list[Check]:
    return list(behaviour.judge(use_case, make_sum(use_case, weights), rows))


def test_no_demand_makes_no_check(plots: UseCase, make_sum: MakeSum) -> None:
    assert judged(plots, make_sum, [1, 0, 0]) == []


@pytest.mark.parametrize(("weight", "verdict"), [(0.0, "pass"), (0.01, "pass"), (5.0, "fail")])
def test_an_input_that_must_not_matter(plots: UseCase, make_sum: MakeSum, weight: float, verdict: str) -> None:
    use_case = demanding(plots, {"kind": "invariance", "column": "water"})

    [check] = judged(use_case, make_sum, [1, 0, weight])

    assert (check.code, check.verdict) == ("behaviour.invariance.water", verdict)
    assert check.limit == ">= 0.95"
    assert check.interval is not None
    assert check.value is not None
    assert check.interval[0] <= check.value <= check.interval[1]
    assert "pairs of rows in which the prediction does not change by more than 0.05 of itself" in check.message
    assert "when water takes another value" in check.message


def test_a_pair_never_holds_the_same_value_twice(plots: UseCase, make_sum: MakeSum) -> None:
    # The value alone is answered, so that an equal one would be no change.
    use_case = demanding(plots, {"kind": "invariance", "column": "water", "max_change": 0.99})

    [check] = judged(use_case, make_sum, [0, 0, 1], ROWS.assign(water=[True, False] + [False] * 398))

    # Of nothing to something is no share; of something to nothing it is all.
    assert check.value == 0.0


@pytest.mark.parametrize(
    ("weight", "expect", "verdict"),
    [(1, "rise", "pass"), (1, "fall", "fail"), (-1, "fall", "pass"), (0, "rise", "pass")],
)
def test_an_input_that_must_push_one_way(
    plots: UseCase, make_sum: MakeSum, weight: int, expect: str, verdict: str
) -> None:
    [check] = judged(demanding(plots, direction(expect)), make_sum, [weight, 0, 0])

    assert (check.code, check.verdict) == ("behaviour.direction.area", verdict)


def test_the_wrong_way_by_a_little_is_tolerated(plots: UseCase, make_sum: MakeSum) -> None:
    # About 1950 in all, so that ten areas more are half a percent less.
    strict, tolerant = (demanding(plots, direction("rise", tolerance=t)) for t in (0.001, 0.01))

    assert judged(strict, make_sum, [-1, 1, 0])[0].verdict == "fail"
    assert judged(tolerant, make_sum, [-1, 1, 0])[0].verdict == "pass"


def test_a_step_out_of_the_declared_range_makes_no_pair(plots: UseCase, make_sum: MakeSum) -> None:
    [check] = judged(demanding(plots, direction("rise")), make_sum, [1, 0, 0])

    assert f"share of {(ROWS['area'] <= 90).sum()} pairs" in check.message


def test_a_missing_value_makes_no_pair(plots: UseCase, make_sum: MakeSum) -> None:
    use_case = demanding(plots, {**direction("rise"), "column": "year"}, {"kind": "invariance", "column": "year"})
    rows = ROWS.assign(year=[np.nan] * 300 + [1950.0, 1960.0] * 50)

    for check in judged(use_case, make_sum, [1, 0, 0], rows):
        assert "share of 100 pairs" in check.message


@pytest.mark.parametrize(
    "policy", [direction("rise"), {"kind": "invariance", "column": "area"}], ids=lambda p: p["kind"]
)
def test_too_few_pairs_are_unknown(plots: UseCase, make_sum: MakeSum, policy: dict[str, Any]) -> None:
    [check] = judged(demanding(plots, policy), make_sum, [1, 0, 0], ROWS.head(49))

    assert check.verdict == "unknown"
    assert "too few to tell: at least 50 are needed" in check.message


def test_an_input_of_one_value_has_no_other_to_take(plots: UseCase, make_sum: MakeSum) -> None:
    use_case = demanding(plots, {"kind": "invariance", "column": "water"})

    assert judged(use_case, make_sum, [1, 0, 0], ROWS.assign(water=True))[0].verdict == "unknown"


def test_an_answer_that_is_no_number_does_not_keep_to_it(plots: UseCase, make_sum: MakeSum) -> None:
    use_case = demanding(plots, direction("rise"))

    # A step more overflows.
    assert judged(use_case, make_sum, [1e308, 0, 0], ROWS.assign(area=1.0))[0].value == 0.0


def test_the_probability_of_a_class_is_looked_at(plots: UseCase, make_sum: MakeSum) -> None:
    use_case = demanding(
        two_classes(plots),
        direction("rise"),
        direction("rise", label="cheap"),
        {"kind": "invariance", "column": "water"},
    )

    dear, cheap, water = judged(use_case, make_sum, [0.01, 0, 0.5])

    assert (dear.verdict, cheap.verdict, water.verdict) == ("pass", "fail", "fail")
    assert "the probability of 'cheap' does not fall when area changes by +10" in cheap.message
    assert "no probability changes by more than 0.05" in water.message


def test_many_rows_are_drawn_from_and_the_same_ones_again(plots: UseCase, make_sum: MakeSum) -> None:
    many = pd.concat([ROWS] * 10, ignore_index=True)
    use_case = demanding(plots, {"kind": "invariance", "column": "area", "max_change": 0.5})

    first, again = (judged(use_case, make_sum, [1, 0, 0], many) for _ in range(2))

    assert "share of 2,000 pairs" in first[0].message
    assert first == again
