"""Measures: the tasks a model may have, and the metrics that judge each."""

from __future__ import annotations

from typing import Literal, get_args

Task = Literal["regression", "binary", "multiclass"]

OfNumbers = Literal["rmse", "mae", "mape", "r2"]
OfClasses = Literal[
    "accuracy",
    "balanced_accuracy",
    "f1",
    "precision",
    "recall",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "calibration_error",
]
Metric = Literal[OfNumbers, OfClasses]

#: The metrics of numbers, and those of classes.
OF_NUMBERS: tuple[Metric, ...] = get_args(OfNumbers)
OF_CLASSES: tuple[Metric, ...] = get_args(OfClasses)

#: Metrics where more is better; for all others less is.
HIGHER_IS_BETTER: frozenset[Metric] = frozenset(
    {"r2", "accuracy", "balanced_accuracy", "f1", "precision", "recall", "roc_auc", "average_precision"}
)

#: What each metric is called where people read it.
TITLES: dict[Metric, str] = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mape": "MAPE",
    "r2": "R²",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """The metrics that can judge a task."""
    return OF_NUMBERS if task == "regression" else OF_CLASSES


def default_metric(task: Task) -> Metric:
    """What is improved where a spec does not say."""
    return "rmse" if task == "regression" else "log_loss"
