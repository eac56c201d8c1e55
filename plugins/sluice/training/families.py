"""Families: the estimators a spec may name, and how each is set up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.pipeline import Pipeline

from sluice.adapters.graphs import Scores
from sluice.domain.errors import DataError, SpecError
from sluice.domain.measures import Task
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import features
from sluice.training.choices import Choices
from sluice.training.folds import Fold
from sluice.training.graph import boosting, forests, linear

if TYPE_CHECKING:
    import pandas as pd

Parameters = Mapping[str, int | float | str]

#: How a spec writes that a hyper-parameter is not used, for example `class_weight: [balanced, none]`.
NONE = "none"


@dataclass(frozen=True)
class Setup:
    """How a family is set up.

    Attributes:
        make: From a task, hyper-parameters and a seed to an estimator that is not fitted yet.
        scaled: Whether it needs numbers of one size.
        start: Hyper-parameters that usually do well; see `start`.
        classes_start: Those that do so for classes, where they are others.
    """

    make: Callable[[Task, Parameters, int], Any]
    scaled: bool
    start: Parameters
    classes_start: Parameters | None = None


def _either(number: Any, classes: Any, **fixed: Any) -> Callable[[Task, Parameters, int], Any]:
    """Makes one of two kinds of estimators, with settings that no spec changes."""

    def make(task: Task, parameters: Parameters, seed: int) -> Any:
        kind = number if task == "regression" else classes
        return kind(**parameters, **fixed, random_state=seed)

    return make


def _logistic(task: Task, parameters: Parameters, seed: int) -> Any:
    if task == "regression":
        raise SpecError("family 'logistic_regression' predicts classes", "training.families", "use ridge")
    return linear.Logistic(**parameters, max_iter=2000, random_state=seed)


def _lightgbm(task: Task, parameters: Parameters, seed: int) -> Any:
    # One thread, one way to build histograms and one seed: the same rows give the same trees. A share of the rows
    # (`subsample`) is drawn only where a frequency is given.
    fixed = {"n_jobs": 1, "deterministic": True, "force_row_wise": True, "subsample_freq": 1, "verbose": -1}
    return boosting.estimator(task, **{"max_bin": 255, **parameters, **fixed}, random_state=seed)


#: What both kinds of forests begin with.
FOREST: Parameters = {"n_estimators": 200, "max_leaf_nodes": 500, "max_depth": 20, "min_samples_leaf": 2}

FAMILIES: dict[Family, Setup] = {
    "ridge": Setup(make=_either(Ridge, RidgeClassifier), scaled=True, start={"alpha": 1.0}),
    "logistic_regression": Setup(make=_logistic, scaled=True, start={"C": 1.0, "class_weight": NONE}),
    "decision_tree": Setup(
        make=_either(forests.TreeRegressor, forests.TreeClassifier),
        scaled=False,
        start={"max_leaf_nodes": 100, "max_depth": 12, "min_samples_leaf": 10, "max_features": 1.0},
        classes_start={"max_leaf_nodes": 40, "max_depth": 8, "min_samples_leaf": 10, "max_features": 1.0},
    ),
    "random_forest": Setup(
        make=_either(forests.ForestRegressor, forests.ForestClassifier, n_jobs=1),
        scaled=False,
        start={**FOREST, "max_features": 0.4, "max_samples": 0.9},
    ),
    "extra_trees": Setup(
        make=_either(forests.ExtraRegressor, forests.ExtraClassifier, n_jobs=1),
        scaled=False,
        start={**FOREST, "max_features": 0.6},
    ),
    "hist_gradient_boosting": Setup(
        # Without early stopping every row is learned from, and the number of trees is searched like the rest.
        make=_either(HistGradientBoostingRegressor, HistGradientBoostingClassifier, early_stopping=False),
        scaled=False,
        start={"learning_rate": 0.08, "max_iter": 300, "max_leaf_nodes": 31, "min_samples_leaf": 20},
        classes_start={"learning_rate": 0.06, "max_iter": 150, "max_leaf_nodes": 15, "min_samples_leaf": 20},
    ),
    "lightgbm": Setup(
        make=_lightgbm,
        scaled=False,
        start={
            "learning_rate": 0.03,
            "n_estimators": 1200,
            "num_leaves": 40,
            "min_child_samples": 20,
            "colsample_bytree": 0.5,
            "subsample": 0.8,
            "reg_lambda": 1.0,
        },
        classes_start={
            "learning_rate": 0.05,
            "n_estimators": 300,
            "num_leaves": 31,
            "min_child_samples": 20,
            "colsample_bytree": 0.7,
            "subsample": 0.8,
            "reg_lambda": 1.0,
        },
    ),
}


def start(family: Family, task: Task) -> Parameters:
    """Hyper-parameters of a family's first trial, where the spec's space allows them."""
    setup = FAMILIES[family]
    if task == "regression" or setup.classes_start is None:
        return setup.start
    return setup.classes_start


def estimator(family: Family, task: Task, parameters: Parameters, seed: int) -> Any:
    """The estimator alone, without features, calibration or a transform of the target, not fitted yet.

    Args:
        family: Which.
        task: What it predicts.
        parameters: Its hyper-parameters, `none` for one that is not used.
        seed: Of whatever it draws.

    Raises:
        SpecError: The family cannot do the task, or a library of the machine is missing.
    """
    given: dict[str, Any] = {name: None if value == NONE else value for name, value in parameters.items()}
    return FAMILIES[family].make(task, given, seed)


def assemble(
    use_case: UseCase, family: Family, parameters: Parameters, choices: Choices, parts: Sequence[Fold] | None = None
) -> Pipeline:
    """A whole model, from raw inputs to the target in its own unit or to probabilities, not fitted yet.

    Args:
        use_case: Declares the task, the features, the target's transform, the calibration and the seed.
        family: Which estimator.
        parameters: Its hyper-parameters.
        choices: What the training rows decided about the features.
        parts: Folds of the rows that the model will be fitted on, to calibrate probabilities on as the spec says;
            without them only a family that has no probabilities of its own is calibrated.

    Raises:
        SpecError: The family cannot do the task, or a library of the machine is missing.
    """
    model = estimator(family, use_case.task, parameters, use_case.training.seed)
    if use_case.training.target_transform == "log":
        model = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1, check_inverse=False)
    if use_case.classes:
        model = _calibrated(use_case, model, parts)
    steps = features.pipeline(use_case, choices, FAMILIES[family].scaled)
    return Pipeline([("features", steps), ("model", model)])


def scores(use_case: UseCase, model: Pipeline, inputs: pd.DataFrame) -> Scores:
    """What a fitted model says of raw rows: shape (rows,), or for classes (rows, classes), their probabilities.

    Raises:
        DataError: The rows that the model was fitted on lacked a class.
    """
    if use_case.task == "regression":
        # Far out, a linear model's logarithm is that of infinity, and so is the graph's.
        with np.errstate(over="ignore"):
            return np.asarray(model.predict(inputs), dtype=np.float64)
    if len(model.classes_) != len(use_case.classes):
        raise DataError(
            f"the model was fitted on rows of {len(model.classes_)} of {len(use_case.classes)} classes",
            f"validated.{use_case.name}",
            "ingest more rows of the rare ones, or take them out of the spec",
        )
    return np.asarray(model.predict_proba(inputs), dtype=np.float64)


def _calibrated(use_case: UseCase, bare: Any, parts: Sequence[Fold] | None) -> Any:
    method = use_case.training.calibrate
    splits = [(part.fit, part.score) for part in parts] if parts is not None else None
    if not hasattr(bare, "predict_proba"):
        return CalibratedClassifierCV(bare, method="sigmoid", cv=splits or 3, ensemble=False)
    if method == "none" or splits is None:
        return bare
    return CalibratedClassifierCV(bare, method=method, cv=splits, ensemble=False)
