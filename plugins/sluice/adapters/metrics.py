"""Metrics: how far predictions are from what was observed; training and the gate measure with the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps

import numpy as np
from sklearn import metrics as library

from sluice.domain.measures import Metric, Task, metrics_of

#: What was observed, shape (rows,): a number in the target's unit, or the position of a class.
Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
#: What a model says: shape (rows,) for a number, (rows, classes) for the probabilities of classes.
Scores = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

#: Bins of equal width that the calibration error compares probabilities with frequencies in.
CALIBRATION_BINS = 10

Measure = Callable[[Vector, Scores], float]


def _told(metric: Measure) -> Measure:
    """NaN where there is no row, or where an answer is no number: a class would be picked all the same."""

    @wraps(metric)
    def told(actual: Vector, predicted: Scores) -> float:
        unusable = ~np.isfinite(predicted) if predicted.ndim == 2 else np.isnan(predicted)
        if not len(actual) or unusable.any():
            return float("nan")
        return metric(actual, predicted)

    return told


@_told
def rmse(actual: Vector, predicted: Scores) -> float:
    """Root of the mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean((actual - predicted) ** 2)))


@_told
def mae(actual: Vector, predicted: Scores) -> float:
    """Mean absolute error, in the target's unit."""
    return float(np.mean(np.abs(actual - predicted)))


@_told
def mape(actual: Vector, predicted: Scores) -> float:
    """Mean absolute error relative to what was observed, over rows where that is not 0; NaN without any."""
    rows = actual != 0
    if not rows.any():
        return float("nan")
    return float(np.mean(np.abs((actual[rows] - predicted[rows]) / actual[rows])))


@_told
def r2(actual: Vector, predicted: Scores) -> float:
    """Share of the variance that is explained; NaN where nothing varies."""
    total = float(np.sum((actual - actual.mean()) ** 2))
    if total == 0:
        return float("nan")
    return float(1 - np.sum((actual - predicted) ** 2) / total)


@_told
def accuracy(actual: Vector, probabilities: Scores) -> float:
    """Share of rows whose most probable class is the true one."""
    return float(np.mean(chosen(probabilities) == actual))


@_told
def balanced_accuracy(actual: Vector, probabilities: Scores) -> float:
    """Mean over the observed classes of the share of their rows that are found."""
    picked = chosen(probabilities)
    return float(np.mean([np.mean(picked[actual == c] == c) for c in np.unique(actual)]))


@_told
def f1(actual: Vector, probabilities: Scores) -> float:
    """F1 of the positive class; of more than two classes, the mean of each one's."""
    return float(library.f1_score(actual, chosen(probabilities), zero_division=0.0, **_averaged(probabilities)))


@_told
def precision(actual: Vector, probabilities: Scores) -> float:
    """Share of the rows called positive that are; of more than two classes, the mean of each one's."""
    return float(library.precision_score(actual, chosen(probabilities), zero_division=0.0, **_averaged(probabilities)))


@_told
def recall(actual: Vector, probabilities: Scores) -> float:
    """Share of the positive rows that are found; of more than two classes, the mean of each one's."""
    return float(library.recall_score(actual, chosen(probabilities), zero_division=0.0, **_averaged(probabilities)))


@_told
def roc_auc(actual: Vector, probabilities: Scores) -> float:
    """Area under the ROC curve; of more than two classes, the mean of each one against the rest.

    NaN where a class has no row.
    """
    return _one_against_the_rest(library.roc_auc_score, actual, probabilities)


@_told
def average_precision(actual: Vector, probabilities: Scores) -> float:
    """Area under the precision-recall curve, as a step function; of more than two classes, the mean of each one's.

    NaN where a class has no row.
    """
    return _one_against_the_rest(library.average_precision_score, actual, probabilities)


@_told
def log_loss(actual: Vector, probabilities: Scores) -> float:
    """Mean negative logarithm of the true class's probability, in nats; a probability counts as 1e-15 at least."""
    rows = np.arange(len(actual))
    return float(-np.mean(np.log(np.clip(probabilities[rows, actual.astype(int)], 1e-15, 1))))


@_told
def brier(actual: Vector, probabilities: Scores) -> float:
    """Mean squared error of the positive class's probability; of more classes, summed over them."""
    if probabilities.shape[1] == 2:
        return float(np.mean((probabilities[:, 1] - actual) ** 2))
    observed = np.eye(probabilities.shape[1])[actual.astype(int)]
    return float(np.mean(np.sum((probabilities - observed) ** 2, axis=1)))


@_told
def calibration_error(actual: Vector, probabilities: Scores) -> float:
    """How far the chosen class's probability is from how often it is right, on average over the rows.

    Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017 (ECE).
    """
    sure = probabilities.max(axis=1)
    right = chosen(probabilities) == actual
    bins = np.minimum((sure * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs(float(np.sum(sure[bins == b]) - np.sum(right[bins == b]))) for b in range(CALIBRATION_BINS)]
    return float(np.sum(gaps) / len(actual))


def chosen(probabilities: Scores) -> Vector:
    """The position of each row's most probable class, the first of equals."""
    first: Vector = probabilities.argmax(axis=1).astype(np.float64)
    return first


def _averaged(probabilities: Scores) -> dict[str, object]:
    classes = probabilities.shape[1]
    if classes == 2:
        return {"average": "binary", "pos_label": 1}
    return {"average": "macro", "labels": list(range(classes))}


def _one_against_the_rest(metric: Callable[..., float], actual: Vector, probabilities: Scores) -> float:
    classes = [1] if probabilities.shape[1] == 2 else list(range(probabilities.shape[1]))
    if any(not 0 < np.sum(actual == c) < len(actual) for c in classes):
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return float(np.mean([metric(actual == c, probabilities[:, c]) for c in classes]))


#: Every metric of `domain.measures.Metric`, by name.
METRICS: dict[Metric, Measure] = {
    "rmse": rmse,
    "mae": mae,
    "mape": mape,
    "r2": r2,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "precision": precision,
    "recall": recall,
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
    "calibration_error": calibration_error,
}


def measure(task: Task, actual: Vector, predicted: Scores) -> dict[str, float]:
    """Every metric of a task, by name.

    Args:
        task: What is predicted.
        actual: What was observed; see `adapters.targets`.
        predicted: What the model says.
    """
    return {name: METRICS[name](actual, predicted) for name in metrics_of(task)}
