from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.inspection import permutation_importance

from sluice.domain.measures import Task
from sluice.training.evidence import importance
from sluice.training.snapshots import Rows
from tests.unit.training.trainings import training

TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")


@pytest.mark.parametrize("task", TASKS)
def test_every_input_is_shuffled_and_the_one_that_matters_most_is_first(task: Task) -> None:
    found = importance.measure(training(task).candidate)
    assert sorted(i.name for i in found.inputs) == ["area", "district", "lift", "rooms"]
    assert found.inputs[0].name == "area"
    assert [i.mean for i in found.inputs] == sorted((i.mean for i in found.inputs), reverse=True)
    assert found.metric == ("rmse" if task == "regression" else "log_loss")


@pytest.mark.parametrize(
    ("task", "scoring"), [("regression", "neg_root_mean_squared_error"), ("binary", "neg_log_loss")]
)
def test_it_is_what_scikit_learn_measures_of_the_fitted_model(task: Task, scoring: str) -> None:
    known, test = training(task), training(task).rows.test
    reference = permutation_importance(
        known.candidate.model, test.inputs, test.target, scoring=scoring, n_repeats=30, random_state=1
    )
    expected = dict(zip(test.inputs.columns, reference.importances_mean, strict=True))
    found = importance.measure(known.candidate).inputs[0]
    assert found.mean == pytest.approx(expected[found.name], rel=0.15)
    assert 0 < found.deviation < found.mean


def test_an_input_that_never_varies_is_worth_nothing() -> None:
    known = training("regression")
    test = replace(known.rows.test, inputs=known.rows.test.inputs.assign(lift=True))
    rows = Rows(known.rows.train, known.rows.calibration, test)
    found = {i.name: i for i in importance.measure(replace(known.candidate, rows=rows)).inputs}
    assert (found["lift"].mean, found["lift"].deviation) == (0, 0)


def test_it_is_measured_on_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "MOST_ROWS", 1)
    # One row shuffled is the same row.
    assert all(np.isclose(i.mean, 0) for i in importance.measure(training("binary").candidate).inputs)
