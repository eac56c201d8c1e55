"""Families: the estimators a spec may name, and how each is set up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import features

Parameters = Mapping[str, int | float | str]


@dataclass(frozen=True)
class Setup:
    """How a family is set up.

    Attributes:
        make: From hyper-parameters and a seed to an estimator that is not fitted yet.
        scaled: Whether it needs numbers of one size.
        start: Hyper-parameters of the first trial, where the spec's space allows them.
    """

    make: Callable[[Parameters, int], Any]
    scaled: bool
    start: Parameters


FAMILIES: dict[Family, Setup] = {
    "ridge": Setup(
        make=lambda parameters, seed: Ridge(**parameters, random_state=seed),
        scaled=True,
        start={"alpha": 1.0},
    ),
    "hist_gradient_boosting": Setup(
        # Without early stopping every row is learned from, and the number of trees is searched like the rest.
        make=lambda parameters, seed: HistGradientBoostingRegressor(
            **parameters, early_stopping=False, random_state=seed
        ),
        scaled=False,
        start={"learning_rate": 0.08, "max_iter": 300, "max_leaf_nodes": 31, "min_samples_leaf": 20},
    ),
}


def regressor(use_case: UseCase, family: Family, parameters: Parameters) -> Pipeline:
    """A whole model, from raw inputs to the target in its own unit, not fitted yet.

    Args:
        use_case: Declares the features, the target's transform and the seed.
        family: Which estimator.
        parameters: Its hyper-parameters.
    """
    setup = FAMILIES[family]
    estimator = setup.make(parameters, use_case.training.seed)
    if use_case.training.target_transform == "log":
        estimator = TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1, check_inverse=False)
    return Pipeline([("features", features.pipeline(use_case, setup.scaled)), ("model", estimator)])
