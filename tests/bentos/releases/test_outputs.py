"""What callers are told of a graph's outputs: intervals of numbers, classes with probabilities and sets."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tabular.releases import outputs
from tabular.releases.contract import Contract, Interval
from tabular.releases.outputs import Outputs
from tests.bentos import bundles
from tests.bentos.bundles import BINARY, MULTICLASS, Recipe


def reader(recipe: Recipe) -> Outputs:
    return outputs.of(Contract.model_validate_json(json.dumps(bundles.contract(recipe))))


def told(recipe: Recipe, *row: float) -> dict[str, Any]:
    read = reader(recipe)
    rows = np.array([row])
    assert read.usable(rows).all()
    [document] = read.documents(read.answers(rows), ["id"])
    assert document.pop("prediction_id") == "id"
    return document


def test_a_number_is_told_with_its_interval() -> None:
    assert told(Recipe(), 155.0) == {"prediction": 155.0, "interval": [125.0, 160.0]}
    assert told(Recipe(interval=None), 155.0) == {"prediction": 155.0, "interval": None}


def test_a_class_is_told_with_its_title_its_probabilities_and_its_set() -> None:
    assert told(BINARY, 0.25, 0.75) == {
        "prediction": "Y",
        "prediction_label": "Dear",
        "probabilities": {"N": 0.25, "Y": 0.75},
        "prediction_set": ["N", "Y"],
    }


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ((0.1, 0.7, 0.2), ["middle", "high"]),
        ((0.1, 0.71, 0.19), ["middle"]),
        ((0.3, 0.4, 0.3), ["low", "middle", "high"]),
    ],
    ids=["at the threshold", "below it", "all above it"],
)
def test_the_set_holds_every_class_from_the_threshold_on(row: tuple[float, ...], held: list[str]) -> None:
    assert told(MULTICLASS, *row)["prediction_set"] == held


def test_the_set_holds_the_most_probable_class_whatever_the_threshold() -> None:
    strict = replace(MULTICLASS, prediction_set=bundles.SET | {"threshold": 0.9})
    assert told(strict, 0.2, 0.3, 0.5)["prediction_set"] == ["high"]


def test_there_is_no_set_where_none_was_measured() -> None:
    assert told(replace(MULTICLASS, prediction_set=None), 0.2, 0.3, 0.5)["prediction_set"] is None


@pytest.mark.parametrize(
    ("row", "chosen"), [((0.5, 0.5, 0.0), "low"), ((0.2, 0.4, 0.4), "middle")], ids=["the first two", "the last two"]
)
def test_of_equals_the_first_is_predicted(row: tuple[float, ...], chosen: str) -> None:
    assert told(MULTICLASS, *row)["prediction"] == chosen


def test_rounding_never_leads_beyond_0_and_1() -> None:
    assert told(BINARY, -1e-12, 1 + 1e-12)["probabilities"] == {"N": 0.0, "Y": 1.0}


@pytest.mark.parametrize(
    ("recipe", "row", "figure"),
    [(Recipe(), (155.0,), 155.0), (BINARY, (0.8, 0.2), 0.2), (MULTICLASS, (0.1, 0.7, 0.2), 0.7)],
    ids=["the number", "of the positive class", "of the chosen class"],
)
def test_one_number_stands_for_an_answer(recipe: Recipe, row: tuple[float, ...], figure: float) -> None:
    read = reader(recipe)
    assert read.figure(read.answers(np.array([row]))) == figure


@pytest.mark.parametrize(
    ("recipe", "envelope"),
    [
        (Recipe(), {"unit": "USD", "level": 0.9}),
        (Recipe(interval=None), {"unit": "USD", "level": None}),
        (BINARY, {"unit": None, "level": 0.9, "positive": "Y"}),
        (replace(MULTICLASS, prediction_set=None), {"unit": None, "level": None, "positive": None}),
    ],
    ids=["number", "number without interval", "two classes", "three classes without set"],
)
def test_what_holds_for_all_rows_is_told_once(recipe: Recipe, envelope: dict[str, Any]) -> None:
    assert reader(recipe).envelope == envelope


def interval(scale: str, half: float, minimum: float | None = None, maximum: float | None = None) -> Interval:
    return Interval.model_validate(
        {"level": 0.9, "scale": scale, "half_width": half, "minimum": minimum, "maximum": maximum, "coverage": 0.9}
    )


def bounds(given: Interval, prediction: float) -> tuple[float, float]:
    ends = outputs.Ends.of(given)
    low, high = ends.around(prediction)
    assert ends.pairs([prediction]) * 9 == ends.pairs([prediction] * 9) == [[low, high]] * 9
    assert [each.tolist() for each in ends.arrays(np.array([prediction]))] == [[low], [high]]
    return low, high


@pytest.mark.parametrize(
    ("prediction", "bound"),
    [
        (100.0, (70.0, 130.0)),
        (10.0, (0.0, 40.0)),
        (150.0, (120.0, 160.0)),
        (-99.0, (0.0, 0.0)),
        (999.0, (160.0, 160.0)),
    ],
    ids=["inside", "cut below", "cut above", "wholly below", "wholly above"],
)
def test_an_interval_is_cut_to_the_range_of_the_target(prediction: float, bound: tuple[float, float]) -> None:
    assert bounds(interval("identity", 30.0, 0.0, 160.0), prediction) == bound


def test_an_interval_on_the_scale_of_logarithms_grows_with_the_prediction() -> None:
    # log(1 + 99) ± log 2: half of 100 and twice 100, less 1.
    assert bounds(interval("log", math.log(2)), 99.0) == pytest.approx((49.0, 199.0))
    assert bounds(interval("log", math.log(2)), 999.0) == pytest.approx((499.0, 1999.0))
    assert bounds(interval("log", math.log(2), 60.0, 150.0), 99.0) == (60.0, 150.0)


@pytest.mark.parametrize("scale", ["identity", "log"])
@pytest.mark.parametrize("prediction", [-1.0, -5.0, 1e308, -1e308, 0.0])
def test_both_ends_of_an_interval_can_always_be_written(scale: str, prediction: float) -> None:
    ends = bounds(interval(scale, 1e308), prediction)
    assert all(abs(end) <= sys.float_info.max for end in ends)
    assert ends[0] <= ends[1]


def test_where_there_is_no_logarithm_the_interval_is_the_limit() -> None:
    assert bounds(interval("log", 0.5), -1.0) == (-1.0, -1.0)
    assert bounds(interval("log", 0.5, 0.0), -7.0) == (0.0, 0.0)
