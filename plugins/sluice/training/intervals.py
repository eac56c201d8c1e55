"""Intervals: how far a prediction may be off, measured on rows that no fit has seen."""

from __future__ import annotations

import math

import numpy as np

from sluice.domain.contract import Interval
from sluice.domain.use_case import UseCase

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]

LEVEL = 0.9


def half_width(actual: Vector, predicted: Vector, level: float) -> float | None:
    """Half the width of an interval that covers a new row with at least the given probability.

    It is the ceil((n + 1) * level)-th smallest of the n absolute errors; below 9 rows at 0.9 there is none.
    Source: Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, "Distribution-Free Predictive Inference for
    Regression", JASA 2018.

    Args:
        actual: Shape (rows,), what was observed on the calibration rows, in the target's unit.
        predicted: Shape (rows,), what the model says.
        level: Between 0 and 1.

    Returns:
        In the target's unit; None where there are too few rows to tell.
    """
    errors = np.sort(np.abs(actual - predicted))
    rank = math.ceil((len(errors) + 1) * level)
    return float(errors[rank - 1]) if rank <= len(errors) else None


def measure(
    use_case: UseCase, calibration: tuple[Vector, Vector], test: tuple[Vector, Vector], level: float = LEVEL
) -> Interval | None:
    """The interval of a release, with the share of held-out rows it covers.

    Args:
        use_case: Its target's range cuts the interval.
        calibration: Observed and predicted on the calibration rows.
        test: Observed and predicted on the test rows.
        level: Between 0 and 1.

    Returns:
        None where there are too few calibration rows to tell.
    """
    half = half_width(*calibration, level)
    if half is None:
        return None
    actual, predicted = test
    minimum, maximum = use_case.target_column.range or (None, None)
    return Interval(
        level=level,
        half_width=half,
        minimum=minimum,
        maximum=maximum,
        coverage=float(np.mean(np.abs(actual - predicted) <= half)),
    )
