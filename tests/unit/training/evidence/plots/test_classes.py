from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from sluice.domain.measures import Task
from sluice.training.evidence.plots import answers, classes
from sluice.training.snapshots import Rows
from tests.unit.training.trainings import Training, training


def legend(figure: Figure) -> list[str]:
    shown = figure.axes[0].get_legend()
    assert shown is not None
    return [text.get_text() for text in shown.get_texts()]


def without_class(known: Training, index: int) -> Training:
    """The same training with no test row of one class."""
    rest = known.rows.test.target != index
    part = known.rows.test
    test = replace(part, inputs=part.inputs[rest], target=part.target[rest], identity=part.identity[rest])
    made = replace(
        known.candidate,
        rows=Rows(known.rows.train, known.rows.calibration, test),
        predicted=known.candidate.predicted[rest],
    )
    return replace(known, candidate=made)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_are_drawn_by_how_they_are_told_apart(task: Task) -> None:
    drawn = dict(answers(training(task).candidate))
    assert list(drawn) == ["confusion", "roc", "precision_recall", "calibration"]
    assert (drawn["roc"].axes[0].get_xlabel(), drawn["roc"].axes[0].get_ylabel()) == (
        "false positive rate",
        "true positive rate (recall)",
    )
    assert (drawn["precision_recall"].axes[0].get_xlabel(), drawn["precision_recall"].axes[0].get_ylabel()) == (
        "recall",
        "precision",
    )


def test_the_cells_of_the_confusion_matrix_are_counts_of_test_rows() -> None:
    known = training("multiclass")
    axes = classes.confusion(known.candidate).axes[0]
    counts = [int(text.get_text().split()[0].replace(",", "")) for text in axes.texts]
    rows = [int(np.sum(known.rows.test.target == c)) for c in range(3)]
    assert [sum(counts[3 * c : 3 * c + 3]) for c in range(3)] == rows
    right = np.mean(known.candidate.predicted.argmax(axis=1) == known.rows.test.target)
    assert sum(counts[::4]) == pytest.approx(right * len(known.rows.test))
    assert [t.get_text() for t in axes.get_yticklabels()] == ["cheap", "Fair rent", "Dear"]


def test_two_classes_have_the_curve_of_the_positive_one_with_the_area_that_is_its_metric() -> None:
    known = training("binary")
    metrics = known.candidate.metrics
    assert legend(classes.roc(known.candidate)) == [f"Dear: area {metrics['test_roc_auc']:.3f}", "by chance"]
    (line,) = legend(classes.precision_recall(known.candidate))
    assert line == f"Dear: average precision {metrics['test_average_precision']:.3f}"


def test_several_classes_have_a_curve_each_and_one_without_rows_has_none() -> None:
    known = training("multiclass")
    assert [line.split(":")[0] for line in legend(classes.roc(known.candidate))] == [
        "cheap",
        "Fair rent",
        "Dear",
        "by chance",
    ]
    fewer = without_class(known, 1).candidate
    assert [line.split(":")[0] for line in legend(classes.precision_recall(fewer))] == ["cheap", "Dear"]
    assert list(dict(answers(fewer))) == ["confusion", "roc", "precision_recall", "calibration"]


@pytest.mark.parametrize(("task", "said"), [("binary", "Dear"), ("multiclass", "the most probable class")])
def test_calibration_shows_how_many_rows_each_probability_rests_on(task: Task, said: str) -> None:
    known = training(task)
    upper, lower = classes.calibration(known.candidate).axes
    assert lower.get_xlabel() == f"probability of {said}"
    assert sum(bar.get_height() for bar in lower.patches) == len(known.rows.test)  # type: ignore[attr-defined]
    shares = np.asarray(upper.lines[1].get_ydata())
    counts = [int(text.get_text()) for text in lower.texts]
    expected = known.rows.test.target == 1
    if task == "multiclass":
        expected = known.candidate.predicted.argmax(axis=1) == known.rows.test.target
    assert np.average(shares, weights=counts) == pytest.approx(expected.mean())
