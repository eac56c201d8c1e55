from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from sluice.adapters import metrics
from sluice.adapters.metrics import METRICS, chosen, measure
from sluice.domain.measures import OF_CLASSES, OF_NUMBERS, Metric, Task

numbers = st.floats(1e-3, 1e6)


def answers(classes: int, rows: int = 60, seed: int = 0) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Observed classes, and probabilities that know something of them."""
    draw = np.random.default_rng(seed)
    actual = draw.integers(0, classes, rows).astype(np.float64)
    odds = np.exp(draw.normal(0, 1, (rows, classes)) + np.eye(classes)[actual.astype(int)])
    return actual, odds / odds.sum(axis=1, keepdims=True)


def test_every_metric_that_a_spec_may_name_is_measured_of_its_task() -> None:
    assert set(METRICS) == set(get_args(Metric)) == {*OF_NUMBERS, *OF_CLASSES}
    assert list(measure("regression", np.arange(3.0), np.ones(3))) == list(OF_NUMBERS)
    for task, classes in (("binary", 2), ("multiclass", 3)):
        assert list(measure(task, *answers(classes))) == list(OF_CLASSES)  # type: ignore[arg-type]


@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=50))
def test_the_metrics_of_numbers_are_those_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    actual, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    if np.ptp(actual) < 1e-6 * actual.max():
        return
    assert measure("regression", actual, predicted) == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(actual, predicted),
            "mae": reference.mean_absolute_error(actual, predicted),
            "mape": reference.mean_absolute_percentage_error(actual, predicted),
            "r2": reference.r2_score(actual, predicted),
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_metrics_of_two_classes_are_those_of_scikit_learn(seed: int) -> None:
    actual, said = answers(2, seed=seed)
    picked, positive = said.argmax(axis=1), said[:, 1]
    found = measure("binary", actual, said)
    found.pop("calibration_error")
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(actual, picked),
            "balanced_accuracy": reference.balanced_accuracy_score(actual, picked),
            "f1": reference.f1_score(actual, picked),
            "precision": reference.precision_score(actual, picked),
            "recall": reference.recall_score(actual, picked),
            "roc_auc": reference.roc_auc_score(actual, positive),
            "average_precision": reference.average_precision_score(actual, positive),
            "log_loss": reference.log_loss(actual, said),
            "brier": reference.brier_score_loss(actual, positive),
        }
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_metrics_of_several_classes_are_those_of_scikit_learn(seed: int) -> None:
    actual, said = answers(4, seed=seed)
    picked, observed = said.argmax(axis=1), np.eye(4)[actual.astype(int)]
    found = measure("multiclass", actual, said)
    found.pop("calibration_error")
    assert found == pytest.approx(
        {
            "accuracy": reference.accuracy_score(actual, picked),
            "balanced_accuracy": reference.balanced_accuracy_score(actual, picked),
            "f1": reference.f1_score(actual, picked, average="macro"),
            "precision": reference.precision_score(actual, picked, average="macro", zero_division=0.0),
            "recall": reference.recall_score(actual, picked, average="macro"),
            "roc_auc": reference.roc_auc_score(actual, said, multi_class="ovr", average="macro"),
            "average_precision": reference.average_precision_score(observed, said, average="macro"),
            "log_loss": reference.log_loss(actual, said),
            "brier": np.mean(np.sum((said - observed) ** 2, axis=1)),
        }
    )


def test_the_calibration_error_is_the_gap_between_how_sure_and_how_right() -> None:
    # Four rows are 0.9 sure and three are right; two are 0.6 sure and none is.
    said = np.array([[0.1, 0.9]] * 4 + [[0.6, 0.4]] * 2)
    actual = np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    assert metrics.calibration_error(actual, said) == pytest.approx((4 * abs(0.9 - 0.75) + 2 * 0.6) / 6)


@pytest.mark.parametrize(("task", "classes"), [("binary", 2), ("multiclass", 3)])
def test_answers_that_are_right_and_sure_have_the_best_value_of_every_metric(task: Task, classes: int) -> None:
    actual, _ = answers(classes)
    found = measure(task, actual, np.eye(classes)[actual.astype(int)])
    least = {"log_loss": 0.0, "brier": 0.0, "calibration_error": 0.0}
    assert found == pytest.approx({name: least.get(name, 1.0) for name in OF_CLASSES}, abs=1e-12)


def test_answers_that_are_wrong_and_sure_have_a_finite_log_loss() -> None:
    assert metrics.log_loss(np.array([0.0]), np.array([[0.0, 1.0]])) == pytest.approx(-np.log(1e-15))


def test_of_equally_probable_classes_the_first_is_chosen() -> None:
    assert chosen(np.array([[0.5, 0.5], [0.2, 0.8], [0.4, 0.6]])).tolist() == [0, 1, 1]


def test_nothing_called_positive_is_no_precision_and_not_a_perfect_one() -> None:
    said = np.tile([0.9, 0.1], (4, 1))
    actual = np.array([0.0, 0.0, 1.0, 1.0])
    assert (metrics.precision(actual, said), metrics.recall(actual, said), metrics.f1(actual, said)) == (0, 0, 0)


@pytest.mark.parametrize(("task", "classes"), [("binary", 2), ("multiclass", 3)])
def test_where_a_class_is_not_there_it_cannot_be_told_from_the_others(task: Task, classes: int) -> None:
    _, said = answers(classes)
    found = measure(task, np.zeros(len(said)), said)
    untold = {name for name, value in found.items() if np.isnan(value)}
    assert untold == {"roc_auc", "average_precision"}


def test_a_number_that_does_not_vary_or_is_nought_cannot_be_told_of() -> None:
    assert np.isnan(metrics.r2(np.full(4, 2.0), np.arange(4.0)))
    assert np.isnan(metrics.mape(np.zeros(4), np.ones(4)))
    assert metrics.mape(np.array([0.0, 2.0]), np.array([5.0, 1.0])) == 0.5


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_a_prediction_that_is_no_number_is_never_measured_as_one(name: Metric) -> None:
    assert np.isnan(METRICS[name](np.array([1.0, 2.0, 3.0]), np.array([1.0, np.nan, 3.0])))
    assert np.isnan(METRICS[name](np.array([]), np.array([])))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_probability_that_is_no_number_is_never_measured_as_one(name: Metric, classes: int, bad: float) -> None:
    actual, said = answers(classes)
    assert np.isfinite(METRICS[name](actual, said))
    said[7, 0] = bad
    assert np.isnan(METRICS[name](actual, said))
    assert np.isnan(METRICS[name](actual[:0], said[:0]))
