"""Estimation: how well a release probably does on rows whose truth nobody knows yet.

What may be true of the rows is drawn many times over, from what the release says of them and from how right it was on
rows that no training saw; each draw is measured as if it were the truth. So the ends hold the chance of the rows and
the doubt about the release together. All of it rests on one assumption: what is true of a row, given what is said of
it, has not changed since. A change of the inputs shows; a change of what they mean does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sluice.adapters.intervals import percentile
from sluice.adapters.metrics import Scores, Vector
from sluice.adapters.resamples import CELLS, Weights, resampled
from sluice.domain.measures import OF_CLASSES, OF_NUMBERS, Metric, OfNumbers

#: Fewer unseen rows than this say too little about the release.
FEWEST_UNSEEN = 50
DRAWS = 200
#: Unseen rows that a band of predictions has at least, and bands at most. Narrow ones, because of bounds: where numbers
#: end, errors fit the predictions that they were made at, and at others of a wide band what cannot be is cut off. With
#: ten bands that made capped prices 2 % too well known, with bands of fifty rows 0.3 %, and intervals as wide.
_BAND_ROWS, _BANDS = 50, 100
#: How far a probability is kept from 0 and 1, whose logarithms know no end.
_EDGE = 1e-9
#: Steps of Newton's method; it has long arrived.
_STEPS = 30

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Unseen:
    """What a release said of rows that no training saw, beside what was true.

    Attributes:
        actual: Shape (rows,), numbers or the positions of classes.
        said: Shape (rows,), or (rows, classes) of probabilities.
    """

    actual: Vector
    said: Scores


@dataclass(frozen=True)
class Target:
    """What numbers there can be.

    Attributes:
        scale: Where errors are alike, as of the release's conformal interval.
        low: The smallest.
        high: The largest.
    """

    scale: Literal["identity", "log"] = "identity"
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True)
class Estimate:
    """A metric that was not measured.

    Attributes:
        value: The middle of the draws.
        low: Where the 95 % interval begins of what will be measured of the same rows.
        high: Where that ends.
    """

    value: float
    low: float
    high: float


def of_classes(said: Scores, unseen: Unseen, seed: int) -> dict[Metric, Estimate]:
    """Estimate every metric of classes from the probabilities.

    A release is not taken at its word: its probabilities are put right first by a curve fitted to the unseen rows,
    drawn anew each time as far as these leave it open. Then each row's class is drawn.
    Sources: Kivimäki, Białek, Kuberski, Nurminen, "Performance Estimation in Binary Classification Using Calibrated
    Confidence", arXiv:2505.05295, 2025 (CBPE: the confusion matrix as a random variable, its cells Poisson binomial);
    Garg, Balakrishnan, Lipton, Neyshabur, Sedghi, "Leveraging Unlabeled Data to Predict Out-of-Distribution
    Performance", ICLR 2022 (average confidence); Kull, Silva Filho, Flach, "Beta Calibration", AISTATS 2017.

    Args:
        said: Shape (rows, classes), of the rows whose truth is not known.
        unseen: Of the release.
        seed: Of the draws.

    Returns:
        Nothing where there are too few rows; without a metric that too many draws cannot tell.
    """
    if len(unseen.actual) < FEWEST_UNSEEN or not len(said):
        return {}
    rows, classes = said.shape
    # Every row as each class it could have: a draw is then a choice among these, which is what a resample is.
    paired = np.tile(np.arange(classes, dtype=np.float64), rows), np.repeat(said, classes, axis=0)
    each: dict[Metric, Callable[[Weights], Vector]] = {metric: resampled(metric, *paired) for metric in OF_CLASSES}
    found: dict[Metric, list[Vector]] = {metric: [] for metric in each}
    for drawn in _classes(said, unseen, np.random.default_rng(seed)):
        for metric, of in each.items():
            found[metric].append(of(drawn))
    return _told(found)


def of_numbers(said: Scores, unseen: Unseen, target: Target, seed: int) -> dict[Metric, Estimate]:
    """Estimate every metric of numbers from the errors that the conformal interval is made of.

    The interval says how far off the release is at one level; the unseen rows say it at every level, and for each band
    of predictions by itself. Each row gets an error of its own band, out of a bootstrap resample of that band's errors.
    Where bands err alike and the scale is `identity`, the estimate stays what it was at promotion, whatever comes.
    Sources: Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, "Distribution-Free Predictive Inference for Regression", JASA
    2018; Vovk, Shen, Manokhin, Xie, "Nonparametric Predictive Distributions Based on Conformal Prediction", Machine
    Learning 2019; Boström, Johansson, Löfström, "Mondrian Conformal Predictive Distributions", COPA 2021.

    Args:
        said: Shape (rows,), of the rows whose truth is not known.
        unseen: Of the release.
        target: What numbers there can be.
        seed: Of the draws.

    Returns:
        Nothing where there are too few rows; without a metric that too many draws cannot tell.
    """
    if len(unseen.actual) < FEWEST_UNSEEN or not len(said):
        return {}
    found: dict[Metric, list[Vector]] = {metric: [] for metric in OF_NUMBERS}
    for actual in _numbers(said, unseen, target, np.random.default_rng(seed)):
        for metric, values in _measured(actual, said).items():
            found[metric].append(values)
    return _told(found)


def _told(found: dict[Metric, list[Vector]]) -> dict[Metric, Estimate]:
    estimates = {}
    for metric, parts in found.items():
        drawn = np.concatenate(parts)
        if ends := percentile(drawn):
            estimates[metric] = Estimate(float(np.nanmedian(drawn)), *ends)
    return estimates


def _blocks(cells: int) -> Iterator[int]:
    """How many draws to hold at once, over all of them."""
    most = max(1, CELLS // cells)
    for start in range(0, DRAWS, most):
        yield min(most, DRAWS - start)


def _classes(said: Scores, unseen: Unseen, generator: np.random.Generator) -> Iterator[Weights]:
    """Draws of the rows' classes, shape (draws, rows * classes): 1 where a row has the class, else 0."""
    rows, classes = said.shape
    sought = [1] if classes == 2 else list(range(classes))
    curves = {c: _curve(unseen.actual == c, unseen.said[:, c]) for c in sought}
    for count in _blocks(rows * classes):
        chances = np.empty((count, rows, classes))
        for c, (middle, spread) in curves.items():
            curve = generator.multivariate_normal(middle, spread, count, method="svd")
            chances[:, :, c] = _logistic(curve @ _terms(said[:, c]).T)
        if classes == 2:
            chances[:, :, 0] = 1 - chances[:, :, 1]
        limits = np.cumsum(chances / chances.sum(axis=2, keepdims=True), axis=2)
        # Rounding leaves the last limit a little off 1, beyond which there is no class.
        drawn = np.minimum((generator.random((count, rows, 1)) >= limits).sum(axis=2), classes - 1)
        yield (drawn[:, :, None] == np.arange(classes)).reshape(count, rows * classes).astype(np.float64)


def _curve(true: np.ndarray[tuple[int], np.dtype[np.bool_]], said: Vector) -> tuple[Vector, Matrix]:
    """What turns a probability that was said into a right one: the curve's terms, and how far they are open.

    It is a logistic regression on both logarithms of the probability, held to what was said as by one row's worth of
    doubt, so that a class that is always or never true has a curve, too.
    """
    terms, word = _terms(said), np.array([1.0, 1.0, 0.0])
    held, curve = np.eye(3), word.copy()
    for _ in range(_STEPS):
        chance = _logistic(terms @ curve)
        slope = terms.T @ (chance - true) + held @ (curve - word)
        bend = terms.T @ (terms * (chance * (1 - chance))[:, None]) + held
        step = np.linalg.solve(bend, slope)
        curve = curve - step * min(1.0, 2.0 / (np.abs(step).max() + _EDGE))
    spread: Matrix = np.asarray(np.linalg.inv(bend))
    fitted: Vector = np.asarray(curve)
    return fitted, spread


def _terms(said: Vector) -> Matrix:
    kept = np.clip(said, _EDGE, 1 - _EDGE)
    return np.column_stack([np.log(kept), -np.log1p(-kept), np.ones(len(kept))])


def _logistic(value: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vector:
    answer: Vector = 1 / (1 + np.exp(-np.clip(value, -500, 500)))
    return answer


def _numbers(said: Scores, unseen: Unseen, target: Target, generator: np.random.Generator) -> Iterator[Matrix]:
    """Draws of what the rows' numbers may be, shape (draws, rows)."""
    errors = _scaled(unseen.actual, target) - _scaled(unseen.said, target)
    count = max(1, min(_BANDS, len(errors) // _BAND_ROWS))
    # Each is what was said of a row, and none the least, so that no band is empty.
    edges = np.unique(np.quantile(unseen.said, np.linspace(0, 1, count + 1)[1:-1], method="lower"))
    edges = edges[edges > unseen.said.min()]
    known, asked = np.searchsorted(edges, unseen.said, "right"), np.searchsorted(edges, said, "right")
    middle = _scaled(said, target)
    for draws in _blocks(max(len(said), len(errors))):
        drawn = np.empty((draws, len(said)))
        for band in range(len(edges) + 1):
            of_band, places = errors[known == band], np.flatnonzero(asked == band)
            resample = of_band[generator.integers(0, len(of_band), (draws, len(of_band)))]
            picked = generator.integers(0, len(of_band), (draws, len(places)))
            drawn[:, places] = np.take_along_axis(resample, picked, axis=1)
        actual = middle + drawn
        yield np.clip(np.expm1(actual) if target.scale == "log" else actual, target.low, target.high)


def _scaled(value: Scores, target: Target) -> Scores:
    if target.scale == "identity":
        return value
    answer: Scores = np.log1p(np.maximum(value, -1 + _EDGE))
    return answer


def _measured(actual: Matrix, said: Scores) -> dict[OfNumbers, Vector]:
    """The metrics of each draw, as `adapters.metrics` has them."""
    errors = actual - said
    squares = np.sum(errors**2, axis=1)
    total = np.sum((actual - actual.mean(axis=1, keepdims=True)) ** 2, axis=1)
    there = actual != 0
    shares = np.divide(np.abs(errors), np.abs(actual), out=np.zeros_like(actual), where=there)
    return {
        "rmse": np.sqrt(squares / actual.shape[1]),
        "mae": np.mean(np.abs(errors), axis=1),
        "mape": _share(shares.sum(axis=1), there.sum(axis=1)),
        "r2": 1 - _share(squares, total),
    }


def _share(part: Vector, whole: Vector) -> Vector:
    """One number of another, NaN of nothing."""
    answer: Vector = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return answer
