from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sluice.adapters.metrics import METRICS
from sluice.domain.measures import Task
from sluice.training import families, folds
from sluice.training.evidence import learning
from sluice.training.evidence.learning import LearningCurve
from sluice.training.snapshots import Part, Rows
from tests.unit.training.trainings import Training, training


@pytest.fixture(scope="module", params=["regression", "binary", "multiclass"])
def trained(request: pytest.FixtureRequest) -> Training:
    return training(request.param)


def curve_of(known: Training, part: Part | None = None) -> LearningCurve:
    rows = Rows(part or known.rows.train, known.rows.calibration, known.rows.test)
    return learning.measure(replace(known.candidate, rows=rows), known.result.choices, known.result.best)


def test_growing_shares_of_every_fold_are_fitted_and_scored(trained: Training) -> None:
    curve = curve_of(trained)
    parts = folds.divide(trained.use_case, trained.rows.train, trained.use_case.training.folds, 3)
    smallest = min(len(part.fit) for part in parts)
    assert [point.rows for point in curve.points] == [int(share * smallest) for share in learning.SHARES]
    assert all(len(point.fitted) == len(point.unseen) == len(parts) for point in curve.points)
    assert curve.metric == ("rmse" if trained.use_case.task == "regression" else "log_loss")


def test_the_last_point_is_what_a_whole_fold_gives(trained: Training) -> None:
    use_case, train, best = trained.use_case, trained.rows.train, trained.result.best
    parts = folds.divide(use_case, train, use_case.training.folds, use_case.training.seed)
    index = int(np.argmin([len(part.fit) for part in parts]))
    part = parts[index]
    model = families.assemble(use_case, best.family, best.parameters, trained.result.choices)
    model.fit(train.inputs.iloc[part.fit], train.target[part.fit])
    curve = curve_of(trained)
    for at, told in ((part.fit, curve.points[-1].fitted), (part.score, curve.points[-1].unseen)):
        said = families.scores(use_case, model, train.inputs.iloc[at])
        assert told[index] == pytest.approx(METRICS[curve.metric](train.target[at], said), rel=0.1)
    assert curve.points[-1].fitted != curve.points[-1].unseen


def test_more_rows_help_on_rows_that_were_not_fitted(trained: Training) -> None:
    points = curve_of(trained).points
    assert np.mean(points[-1].unseen) < np.mean(points[0].unseen)


def test_the_same_rows_give_the_same_curve(trained: Training) -> None:
    assert curve_of(trained) == curve_of(trained)


def test_one_fold_is_enough_where_there_are_many_rows(trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "FEW_ROWS", 300)
    assert {len(point.unseen) for point in curve_of(trained).points} == {1}


def test_no_more_rows_are_used_than_is_bounded(trained: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MOST_ROWS", 240)
    assert curve_of(trained).points[-1].rows <= 160


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_share_in_which_a_class_is_too_rare_is_left_out(task: Task) -> None:
    known = training(task)
    train = known.rows.train
    last = len(known.use_case.classes) - 1
    # Six rows of the last class: four are fitted in each fold, and a quarter of them would be one.
    kept = np.sort(np.concatenate([np.flatnonzero(train.target != last), np.flatnonzero(train.target == last)[:6]]))
    part = Part(train.inputs.iloc[kept].reset_index(drop=True), train.target[kept], train.identity[kept])
    assert [p.rows for p in curve_of(known, part).points] == [p.rows for p in curve_of(known, part).points][-1:]
