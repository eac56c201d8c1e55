"""Metrics: how far predictions are from what was observed; training and the gate measure with the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


def rmse(actual: Vector, predicted: Vector) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean((actual - predicted) ** 2)))


def mae(actual: Vector, predicted: Vector) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.mean(np.abs(actual - predicted)))


def mape(actual: Vector, predicted: Vector) -> float:
    """Mean absolute error relative to what was observed, over rows where that is not 0; NaN without any."""
    rows = actual != 0
    if not rows.any():
        return float("nan")
    return float(np.mean(np.abs((actual[rows] - predicted[rows]) / actual[rows])))


def r2(actual: Vector, predicted: Vector) -> float:
    """Share of the variance that is explained; NaN where nothing varies."""
    total = float(np.sum((actual - actual.mean()) ** 2))
    if total == 0:
        return float("nan")
    return float(1 - np.sum((actual - predicted) ** 2) / total)


#: Every metric of `domain.policy.Metric`, by name.
METRICS: dict[str, Callable[[Vector, Vector], float]] = {"rmse": rmse, "mae": mae, "mape": mape, "r2": r2}


def measure(actual: Vector, predicted: Vector) -> dict[str, float]:
    """Every metric, by name.

    Args:
        actual: Shape (rows,), what was observed, in the target's unit.
        predicted: Shape (rows,), what the model says, in the target's unit.
    """
    return {name: metric(actual, predicted) for name, metric in METRICS.items()}
