"""Strength: how well a model knows the target, on one scale for every use case, of which 1 is perfect."""

from __future__ import annotations

import numpy as np

from sluice.adapters.metrics import METRICS, Scores, Vector
from sluice.domain.measures import Metric
from sluice.domain.use_case import UseCase


def metric_of(use_case: UseCase) -> Metric:
    """What strength is measured by: R2 of numbers, the area under the ROC curve of classes."""
    return "roc_auc" if use_case.classes else "r2"


def strength(use_case: UseCase, actual: Vector, scores: Scores) -> float:
    """How well what is said of some rows tells what was observed.

    Of more than two classes it is the mean of each observed one's area against the rest, so that a class without a row
    does not hide the others.

    Args:
        use_case: Its task.
        actual: Shape (rows,), what was observed.
        scores: What is said of the rows.

    Returns:
        NaN where nothing varies.
    """
    metric = METRICS[metric_of(use_case)]
    if len(use_case.classes) <= 2:
        return metric(actual, scores)
    areas = [
        metric((actual == c).astype(np.float64), np.column_stack([1 - scores[:, c], scores[:, c]]))
        for c in np.unique(actual).astype(int)
    ]
    return float(np.mean(areas)) if areas else float("nan")
