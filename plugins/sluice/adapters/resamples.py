"""Resamples: a metric of many bootstrap resamples at once.

A resample is told by how often it draws each row, so that what a row contributes is computed once, and a thousand
resamples cost a matrix product instead of a thousand calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from sluice.adapters.metrics import CALIBRATION_BINS, Scores, Vector, chosen
from sluice.domain.measures import Metric

#: How often each resample draws each row, shape (resamples, rows).
Weights = np.ndarray[tuple[int, int], np.dtype[np.float64]]
#: The metric of each resample, shape (resamples,); NaN where `adapters.metrics` has NaN.
Resampled = Callable[[Weights], Vector]

#: Cells of the matrix of draws that are held at once; bounds the memory, not the answer.
CELLS = 2_000_000


def weights(rows: int, count: int, generator: np.random.Generator, cells: int = CELLS) -> Iterator[Weights]:
    """Resamples with replacement, a block of them at a time.

    Args:
        rows: How many rows there are, and each resample draws.
        count: How many resamples, over all blocks.
        generator: Draws them.
        cells: Of a block at most; the draws are the same whatever it is.
    """
    most = max(1, cells // rows)
    for start in range(0, count, most):
        drawn = [
            np.bincount(generator.integers(0, rows, rows), minlength=rows)
            for _ in range(start, min(start + most, count))
        ]
        yield np.array(drawn, dtype=np.float64)


def resampled(metric: Metric, actual: Vector, scores: Scores) -> Resampled:
    """A metric as a function of resamples, equal to `adapters.metrics` on the rows that each draws.

    Args:
        metric: Which one.
        actual: Shape (rows,), what was observed.
        scores: What the model says of the rows.
    """
    return _METRICS[metric](actual, scores)


def _mean(row: Callable[[Vector, Scores], Vector]) -> Callable[[Vector, Scores], Resampled]:
    """A metric that is a mean over the rows."""

    def of(actual: Vector, scores: Scores) -> Resampled:
        values = row(actual, scores)
        return lambda weights: weights @ values / weights.sum(axis=1)

    return of


def _rmse(actual: Vector, predicted: Scores) -> Resampled:
    squared: Vector = (actual - predicted) ** 2
    return lambda weights: np.sqrt(weights @ squared / weights.sum(axis=1))


def _mape(actual: Vector, predicted: Scores) -> Resampled:
    counts = (actual != 0).astype(np.float64)
    errors = np.divide(np.abs(actual - predicted), np.abs(actual), out=np.zeros(len(actual)), where=actual != 0)
    return lambda weights: _share(weights @ errors, weights @ counts)


def _r2(actual: Vector, predicted: Scores) -> Resampled:
    # Centred, so that the difference of two sums of squares keeps its digits.
    centred, squared = actual - actual.mean(), (actual - predicted) ** 2

    def of(weights: Weights) -> Vector:
        moment = weights @ centred**2
        total = moment - (weights @ centred) ** 2 / weights.sum(axis=1)
        answer: Vector = 1 - _share(weights @ squared, np.where(total > 1e-12 * moment, total, 0))
        return answer

    return of


def _log_losses(actual: Vector, probabilities: Scores) -> Vector:
    answer: Vector = -np.log(np.clip(probabilities[np.arange(len(actual)), actual.astype(int)], 1e-15, 1))
    return answer


def _brier_scores(actual: Vector, probabilities: Scores) -> Vector:
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] - actual) ** 2
    observed = np.eye(probabilities.shape[1])[actual.astype(int)]
    answer: Vector = np.sum((probabilities - observed) ** 2, axis=1)
    return answer


def _calibration_error(actual: Vector, probabilities: Scores) -> Resampled:
    sure = probabilities.max(axis=1)
    bins = np.minimum((sure * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.eye(CALIBRATION_BINS)[bins] * (sure - (chosen(probabilities) == actual))[:, None]
    return lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)


def _balanced_accuracy(actual: Vector, probabilities: Scores) -> Resampled:
    observed = np.eye(probabilities.shape[1])[actual.astype(int)]
    found = observed * (chosen(probabilities) == actual)[:, None]

    def of(weights: Weights) -> Vector:
        rows = weights @ observed
        shares = np.divide(weights @ found, rows, out=np.zeros_like(rows), where=rows > 0)
        answer: Vector = shares.sum(axis=1) / (rows > 0).sum(axis=1)
        return answer

    return of


def _counted(
    score: Callable[[Weights, Weights, Weights], tuple[Weights, Weights]],
) -> Callable[[Vector, Scores], Resampled]:
    """A metric of what was right, what was called so and what was so, by class; a share of nothing is 0."""

    def of(actual: Vector, probabilities: Scores) -> Resampled:
        count = probabilities.shape[1]
        observed = np.eye(count)[actual.astype(int)]
        called = np.eye(count)[chosen(probabilities).astype(int)]
        classes = slice(1, 2) if count == 2 else slice(None)

        def each(weights: Weights) -> Vector:
            right, said, so = weights @ (observed * called), weights @ called, weights @ observed
            part, whole = score(right[:, classes], said[:, classes], so[:, classes])
            answer: Vector = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0).mean(axis=1)
            return answer

        return each

    return of


def _ranked(
    area: Callable[[Weights, Weights], Vector],
) -> Callable[[Vector, Scores], Resampled]:
    """A metric of how the rows are ordered, by class: its area from the hits and misses at each probability."""

    def of(actual: Vector, probabilities: Scores) -> Resampled:
        classes = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
        parts = [_areas(area, actual == c, probabilities[:, c]) for c in classes]
        return lambda weights: np.mean([part(weights) for part in parts], axis=0)

    return of


def _areas(area: Callable[[Weights, Weights], Vector], hit: Vector, probability: Vector) -> Resampled:
    order = np.argsort(-probability, kind="stable")
    hits = hit[order].astype(np.float64)
    # Rows of the same probability are one step.
    steps = np.flatnonzero(np.diff(probability[order], prepend=np.inf))

    def of(weights: Weights) -> Vector:
        ordered = weights[:, order]
        rows = np.add.reduceat(ordered, steps, axis=1)
        positives = np.add.reduceat(ordered * hits, steps, axis=1)
        return area(positives, rows - positives)

    return of


def _roc(positives: Weights, negatives: Weights) -> Vector:
    above = np.cumsum(positives, axis=1) - positives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return _share((above * negatives).sum(axis=1), pairs)


def _precision_recall(positives: Weights, negatives: Weights) -> Vector:
    found = np.cumsum(positives, axis=1)
    named = found + np.cumsum(negatives, axis=1)
    precision = np.divide(found, named, out=np.zeros_like(found), where=named > 0)
    missing = (positives.sum(axis=1) == 0) | (negatives.sum(axis=1) == 0)
    return _share((positives * precision).sum(axis=1), np.where(missing, 0, positives.sum(axis=1)))


def _share(part: Vector, whole: Vector) -> Vector:
    """One number of another, NaN of nothing."""
    answer: Vector = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return answer


_METRICS: dict[Metric, Callable[[Vector, Scores], Resampled]] = {
    "rmse": _rmse,
    "mae": _mean(lambda actual, predicted: np.abs(actual - predicted)),
    "mape": _mape,
    "r2": _r2,
    "accuracy": _mean(lambda actual, probabilities: (chosen(probabilities) == actual).astype(np.float64)),
    "balanced_accuracy": _balanced_accuracy,
    "f1": _counted(lambda right, said, so: (2 * right, said + so)),
    "precision": _counted(lambda right, said, so: (right, said)),
    "recall": _counted(lambda right, said, so: (right, so)),
    "roc_auc": _ranked(_roc),
    "average_precision": _ranked(_precision_recall),
    "log_loss": _mean(_log_losses),
    "brier": _mean(_brier_scores),
    "calibration_error": _calibration_error,
}
