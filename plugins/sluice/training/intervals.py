"""Intervals and sets: how far a prediction may be off, measured on rows that no fit has seen."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from sluice.domain.contract import Interval, PredictionSet
from sluice.domain.use_case import UseCase

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Scores = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

LEVEL = 0.9


def quantile(errors: Vector, level: float) -> float | None:
    """What the error of a new row stays within with at least the given probability.

    It is the ceil((n + 1) * level)-th smallest of the n errors; below 9 rows at 0.9 there is none.
    Source: Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, "Distribution-Free Predictive Inference for
    Regression", JASA 2018.

    Args:
        errors: Shape (rows,), of the calibration rows; NaN counts as the largest.
        level: Between 0 and 1.

    Returns:
        None where there are too few rows to tell, or so many have no finite error that nothing bounds the next.
    """
    rank = math.ceil((len(errors) + 1) * level)
    if rank > len(errors):
        return None
    bound = float(np.sort(errors)[rank - 1])
    return bound if math.isfinite(bound) else None


def interval(
    use_case: UseCase, calibration: tuple[Vector, Scores], test: tuple[Vector, Scores], level: float = LEVEL
) -> Interval | None:
    """The interval of a number, with the share of held-out rows it covers.

    Where the model learned the target's logarithm the interval is measured there too, so that it is wider for
    larger predictions.

    Args:
        use_case: Its target's range cuts the interval.
        calibration: Observed and predicted on the calibration rows.
        test: Observed and predicted on the test rows.
        level: Between 0 and 1.

    Returns:
        None where there are too few calibration rows to tell.
    """
    scale: Literal["log", "identity"] = "log" if use_case.training.target_transform == "log" else "identity"
    half = quantile(_errors(*calibration, scale), level)
    if half is None:
        return None
    minimum, maximum = use_case.target_column.range or (None, None)
    return Interval(
        level=level,
        scale=scale,
        half_width=half,
        minimum=minimum,
        maximum=maximum,
        coverage=float(np.mean(_errors(*test, scale) <= half)),
    )


def ends(interval: Interval, predicted: Vector) -> tuple[Vector, Vector]:
    """Where the interval of each prediction begins and ends, in the target's unit.

    Args:
        interval: As a contract holds it.
        predicted: Shape (rows,).
    """
    if interval.scale == "log":
        middle = np.log1p(np.maximum(predicted, -1.0))
        low, high = np.expm1(middle - interval.half_width), np.expm1(middle + interval.half_width)
    else:
        low, high = predicted - interval.half_width, predicted + interval.half_width
    minimum = -math.inf if interval.minimum is None else interval.minimum
    maximum = math.inf if interval.maximum is None else interval.maximum
    return np.clip(low, minimum, maximum), np.clip(high, minimum, maximum)


def prediction_set(
    calibration: tuple[Vector, Scores], test: tuple[Vector, Scores], level: float = LEVEL
) -> PredictionSet | None:
    """The set of classes, with the share of held-out rows whose class it holds.

    Source: Sadinle, Lei, Wasserman, "Least Ambiguous Set-Valued Classifiers with Bounded Error Levels",
    JASA 2019.

    Args:
        calibration: Observed classes and probabilities on the calibration rows.
        test: Observed classes and probabilities on the test rows.
        level: Between 0 and 1.

    Returns:
        None where there are too few calibration rows to tell.
    """
    # The negative and not what is left to 1, which is rounded: a row at the threshold must be held.
    least = quantile(-_of_the_true(*calibration), level)
    if least is None:
        return None
    threshold = min(max(-least, 0.0), 1.0)
    actual, probabilities = test
    held = probabilities >= threshold
    held[np.arange(len(held)), probabilities.argmax(axis=1)] = True
    return PredictionSet(
        level=level,
        threshold=threshold,
        coverage=float(np.mean(held[np.arange(len(held)), actual.astype(int)])),
        mean_size=float(held.sum(axis=1).mean()),
    )


def _errors(actual: Vector, predicted: Scores, scale: str) -> Vector:
    if scale == "log":
        # A prediction below -1 has no logarithm; counted as -1 it is infinitely wrong, which is never covered.
        with np.errstate(divide="ignore"):
            gap: Vector = np.abs(np.log1p(actual) - np.log1p(np.maximum(predicted, -1.0)))
            return gap
    return np.abs(actual - predicted)


def _of_the_true(actual: Vector, probabilities: Scores) -> Vector:
    """Shape (rows,), the probability that each row's own class was given."""
    own: Vector = probabilities[np.arange(len(actual)), actual.astype(int)]
    return own
