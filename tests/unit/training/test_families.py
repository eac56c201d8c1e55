from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV

from sluice.adapters.metrics import log_loss
from sluice.domain.errors import DataError, SpecError
from sluice.domain.measures import Task
from sluice.domain.search import HYPERPARAMETERS, Family
from sluice.training import families, folds, graph
from sluice.training.families import FAMILIES
from tests.unit.training.assembled import CHOICES, NUMBERS, SMALL, TASKS, Case, bare, fitted

#: Every family with every task that it can do.
ABLE = [(f, t) for f in get_args(Family) for t in TASKS if (f, t) != ("logistic_regression", "regression")]
CLASSIFYING = [(f, t) for f, t in ABLE if t != "regression"]


def test_a_spec_may_name_exactly_the_families_that_can_be_written_as_a_graph() -> None:
    assert set(HYPERPARAMETERS) == set(FAMILIES) == set(get_args(Family)) == set(SMALL)
    kinds = {type(families.estimator(family, task, {}, 0)) for family, task in ABLE}
    assert {kind for kind in kinds if kind.__module__ != "lightgbm.sklearn"} == set(graph.WRITERS)


@pytest.mark.parametrize(("family", "task"), ABLE)
def test_every_hyper_parameter_a_spec_may_search_is_one_of_the_estimator(family: Family, task: Task) -> None:
    assert HYPERPARAMETERS[family] <= set(families.estimator(family, task, {}, 0).get_params())
    assert set(families.start(family, task)) <= HYPERPARAMETERS[family]


@pytest.mark.parametrize(("family", "task"), ABLE)
def test_nothing_runs_in_more_than_one_thread(family: Family, task: Task) -> None:
    assert families.estimator(family, task, {}, 0).get_params().get("n_jobs", 1) in (1, None)


@pytest.mark.parametrize("case", NUMBERS, ids=str)
def test_every_family_learns_numbers_in_the_targets_own_unit(case: Case) -> None:
    held_out = case.part(400, seed=5)
    model = case.fit(families.start(case.family, case.task))
    said = families.scores(case.use_case, model, held_out.inputs)
    assert said.shape == (400,)
    assert 1 - np.mean((said - held_out.target) ** 2) / np.var(held_out.target) > 0.8


@pytest.mark.parametrize(("family", "task"), CLASSIFYING)
def test_every_family_learns_probabilities_of_classes(family: Family, task: Task) -> None:
    case = Case(family, task)
    held_out = case.part(400, seed=5)
    said = families.scores(case.use_case, case.fit(families.start(family, task)), held_out.inputs)
    assert said.shape == (400, len(case.use_case.classes))
    assert np.mean(said.argmax(axis=1) == held_out.target) > (0.85 if task == "binary" else 0.65)


@pytest.mark.parametrize(("family", "task"), ABLE)
def test_a_model_can_be_cloned_and_learns_the_same_again(family: Family, task: Task) -> None:
    case = Case(family, task)
    part = case.part()
    again = clone(fitted(case)).fit(part.inputs, part.target)
    first = families.scores(case.use_case, fitted(case), part.inputs)
    np.testing.assert_array_equal(families.scores(case.use_case, again, part.inputs), first)


@pytest.mark.parametrize("family", ["random_forest", "extra_trees", "lightgbm"])
def test_another_seed_draws_otherwise(family: Family) -> None:
    case = Case(family, "binary")
    part = case.part()
    training = case.use_case.training.model_copy(update={"seed": 99})
    other = case.use_case.model_copy(update={"training": training})
    model = families.assemble(other, family, SMALL[family], CHOICES).fit(part.inputs, part.target)
    assert not np.array_equal(
        families.scores(other, model, part.inputs), families.scores(other, fitted(case), part.inputs)
    )


@pytest.mark.parametrize(("family", "scaled"), [(f, f in ("ridge", "logistic_regression")) for f in SMALL])
def test_only_linear_models_see_numbers_of_one_size(family: Family, scaled: bool) -> None:
    model = fitted(Case(family, "binary"))
    seen = model["features"].transform(Case(family, "binary").part().inputs)
    assert (abs(seen[:, 0].mean()) < 1e-9) == scaled


def test_the_spec_may_forbid_scaling() -> None:
    case = Case("ridge")
    unscaled = case.use_case.model_copy(update={"features": case.use_case.features.model_copy(update={"scale": False})})
    part = case.part()
    model = families.assemble(unscaled, "ridge", {}, CHOICES).fit(part.inputs, part.target)
    assert model["features"].transform(part.inputs)[:, 0].mean() > 50


def test_none_leaves_a_hyper_parameter_out() -> None:
    assert families.estimator("logistic_regression", "binary", {"class_weight": "none"}, 0).class_weight is None
    balanced = families.estimator("logistic_regression", "binary", {"class_weight": "balanced"}, 0)
    assert balanced.class_weight == "balanced"


def test_logistic_regression_refuses_numbers() -> None:
    with pytest.raises(SpecError, match="use ridge"):
        families.estimator("logistic_regression", "regression", {}, 0)


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
@pytest.mark.parametrize(("family", "task"), CLASSIFYING)
def test_probabilities_are_calibrated_on_the_folds_that_are_given(family: Family, task: Task, method: str) -> None:
    case = Case(family, task, calibrate=method)
    part = case.part()
    parts = folds.divide(case.use_case, part, 4, seed=2)
    model = families.assemble(case.use_case, family, SMALL[family], CHOICES, parts)["model"]
    assert isinstance(model, CalibratedClassifierCV)
    assert model.method == ("sigmoid" if family == "ridge" else method)
    assert [(fit.tolist(), score.tolist()) for fit, score in model.cv] == [
        (p.fit.tolist(), p.score.tolist()) for p in parts
    ]


@pytest.mark.parametrize(("family", "task"), CLASSIFYING)
def test_without_folds_only_ridge_is_calibrated(family: Family, task: Task) -> None:
    case = Case(family, task, calibrate="sigmoid")
    model = families.assemble(case.use_case, family, SMALL[family], CHOICES)["model"]
    assert isinstance(model, CalibratedClassifierCV) == (family == "ridge")


def test_the_calibrated_model_learned_from_every_row() -> None:
    calibrated = fitted(Case("lightgbm", "binary", calibrate="sigmoid"))
    plain = fitted(Case("lightgbm", "binary"))
    assert bare(calibrated["model"]).booster_.model_to_string() == plain["model"].booster_.model_to_string()


@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
def test_calibration_makes_a_model_that_is_too_sure_of_itself_honest(method: str) -> None:
    case = Case("lightgbm", "binary")
    part, held_out = case.part(), case.part(1000, seed=4)
    draw = np.random.default_rng(0)
    noisy, observed = (np.where(draw.random(len(p)) < 0.25, 1 - p.target, p.target) for p in (part, held_out))
    loss = {}
    for calibrate in ("none", method):
        use_case = Case("lightgbm", "binary", calibrate=calibrate).use_case
        parts = folds.divide(use_case, part, 4, seed=2)
        sure = {"n_estimators": 150, "learning_rate": 0.3, "min_child_samples": 2}
        model = families.assemble(use_case, "lightgbm", sure, CHOICES, parts).fit(part.inputs, noisy)
        loss[calibrate] = log_loss(observed, families.scores(use_case, model, held_out.inputs))
    assert loss[method] < 0.7 * loss["none"]


def test_a_model_that_never_saw_a_class_is_refused() -> None:
    case = Case("decision_tree", "multiclass")
    part = case.part()
    seen = part.target != 1
    model = families.assemble(case.use_case, case.family, SMALL[case.family], CHOICES)
    model.fit(part.inputs[seen], part.target[seen])
    with pytest.raises(DataError, match="3 of 4 classes"):
        families.scores(case.use_case, model, part.inputs)
