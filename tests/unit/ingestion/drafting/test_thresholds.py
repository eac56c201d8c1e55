"""What the gate may ask for, told from what a plain model reaches."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.adapters.metrics import measure
from sluice.domain.measures import Metric
from sluice.ingestion.drafting import baseline, design, thresholds
from sluice.ingestion.drafting.baseline import Baseline, Problem
from sluice.ingestion.drafting.design import Design, Floats
from sluice.ingestion.drafting.outcomes import Outcomes

BINARY = Problem("binary", 2)
NO_ROWS = Outcomes(np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))


def reached(mean: float, chance: float) -> Baseline:
    return Baseline(
        "linear",
        {"r2": mean, "rmse": 1 - mean},
        {"r2": 0.01, "rmse": 0.01},
        {"r2": chance, "rmse": 1.0},
        NO_ROWS,
    )


def errors(error: float) -> dict[Metric, float]:
    return {"r2": error, "rmse": error}


def drawn(rows: int, seed: int) -> tuple[Design, Floats]:
    """Rows of a class that two numbers tell with some chance."""
    random = np.random.default_rng(seed)
    x, z = random.normal(0, 1, (2, rows))
    observed = (x + z + random.logistic(0, 0.5, rows) > 0).astype(np.float64)
    return design.of({"x": (), "z": ()}, {"x": x, "z": z}), observed


@pytest.fixture(scope="module")
def classes() -> Baseline:
    return baseline.reach(*drawn(1500, 0), BINARY)


@pytest.mark.parametrize(
    ("mean", "error", "expected"),
    [(0.8, 0.01, 0.7), (0.8, 0.3, 0.12), (0.06, 0.01, 0.034)],
    ids=["clear", "shaky", "weak"],
)
def test_a_threshold_lies_clearly_below_what_is_reached(mean: float, error: float, expected: float) -> None:
    demanded = thresholds.demand("regression", reached(mean, 0.0), errors(error), better_than_chance=True)
    assert demanded["r2"].min == pytest.approx(expected, abs=0.005)
    assert demanded["rmse"].max is not None
    assert 1 - mean < demanded["rmse"].max < 1


def test_without_anything_to_learn_the_thresholds_still_demand_it() -> None:
    demanded = thresholds.demand("regression", reached(-0.1, 0.0), errors(0.2), better_than_chance=False)
    assert (demanded["r2"].min, demanded["rmse"].max) == (0.05, 0.95)


def test_where_chance_is_worse_than_the_mean_the_threshold_is_still_above_it() -> None:
    demanded = thresholds.demand("regression", reached(0.1, -0.4), errors(0.3), better_than_chance=False)
    assert demanded["r2"].min == pytest.approx(0.05)


def test_few_held_out_rows_leave_more_room_than_many(classes: Baseline) -> None:
    asked = [
        thresholds.demand("binary", classes, thresholds.errors("binary", classes, rows), better_than_chance=True)
        for rows in (40, 400, 4000)
    ]
    least, most = [each["roc_auc"].min for each in asked], [each["log_loss"].max for each in asked]
    assert least == sorted(set(least))
    assert most == sorted(set(most), reverse=True)
    assert most[0] < classes.chance["log_loss"]


@pytest.mark.parametrize("held_out", [60, 300])
def test_the_plain_model_passes_on_whichever_rows_are_held_out(classes: Baseline, held_out: int) -> None:
    off = thresholds.errors("binary", classes, held_out)
    asked = thresholds.demand("binary", classes, off, better_than_chance=True)
    train, target = drawn(1500, 0)
    model = baseline.model(classes.family, train, BINARY, 1500).fit(train.matrix, target)
    passed = 0
    for seed in range(1, 201):
        rows, observed = drawn(held_out, seed)
        found = measure("binary", observed, baseline.answers(model, rows, BINARY))
        passed += found["roc_auc"] >= asked["roc_auc"].min and found["log_loss"] <= asked["log_loss"].max
    assert passed >= 195
