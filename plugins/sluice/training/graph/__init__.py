"""The graph: a fitted model written as one ONNX graph, from raw named inputs to the target's own unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge, RidgeClassifier

from sluice.domain.errors import ConversionError
from sluice.training.graph import boosting, forests, linear, preparation, responses
from sluice.training.graph.draft import Draft
from sluice.training.graph.responses import Response

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

Writer = Callable[[Draft, Any, str], Response]

#: What each kind of fitted estimator is written by, beside LightGBM's, which are imported only where they are used.
WRITERS: dict[type, Writer] = {
    Ridge: linear.number,
    RidgeClassifier: linear.margin,
    linear.Logistic: linear.log_odds,
    forests.TreeRegressor: forests.tree,
    forests.TreeClassifier: forests.tree,
    forests.ForestRegressor: forests.forest,
    forests.ForestClassifier: forests.forest,
    forests.ExtraRegressor: forests.forest,
    forests.ExtraClassifier: forests.forest,
    HistGradientBoostingRegressor: boosting.scikit,
    HistGradientBoostingClassifier: boosting.scikit,
}


def write(inputs: list[str], model: Pipeline) -> bytes:
    """Write a fitted model, in double precision throughout.

    Args:
        inputs: Every column of a request, in declared order. Numbers, integers and booleans become doubles
            with NaN for missing, categories strings with "" for missing, all of shape (rows, 1).
        model: As `families.assemble` makes it, fitted.

    Returns:
        The graph; its output `prediction` holds doubles: of shape (rows, 1) the number, or of shape (rows, classes)
        the probabilities. Same model, same bytes.

    Raises:
        ConversionError: A part of the model has no writer.
    """
    draft = Draft()
    matrix = preparation.write(draft, inputs, model["features"])
    estimator = model["model"]
    if isinstance(estimator, TransformedTargetRegressor):
        return draft.finish(_transformed(draft, estimator, matrix))
    if isinstance(estimator, CalibratedClassifierCV):
        if len(estimator.calibrated_classifiers_) != 1:
            raise ConversionError("an ensemble of calibrated models has no writer", action="calibrate one model")
        (calibration,) = estimator.calibrated_classifiers_
        response = _response(draft, calibration.estimator, matrix)
        return draft.finish(responses.calibrated(draft, response, calibration), response.classes)
    response = _response(draft, estimator, matrix)
    if response.kind == "number":
        return draft.finish(response.name)
    return draft.finish(responses.probabilities(draft, response), response.classes)


def _transformed(draft: Draft, estimator: Any, matrix: str) -> str:
    if (estimator.func, estimator.inverse_func) != (np.log1p, np.expm1):
        raise ConversionError("this transform of the target has no writer", action="use log or none")
    logarithm = _response(draft, estimator.regressor_, matrix).name
    return draft.node("Sub", draft.node("Exp", logarithm), draft.doubles([[1.0]]))


def _response(draft: Draft, estimator: Any, matrix: str) -> Response:
    kind = type(estimator)
    writer = boosting.lightgbm if kind.__module__ == "lightgbm.sklearn" else WRITERS.get(kind)
    if writer is None:
        known = ", ".join(sorted(known.__name__ for known in WRITERS))
        raise ConversionError(f"{kind.__name__} has no writer", action=f"use LightGBM or one of: {known}")
    return writer(draft, estimator, matrix)
