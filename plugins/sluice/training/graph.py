"""The graph: a fitted model written as one ONNX graph, from raw named inputs to the target's own unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge

from sluice.domain.errors import ConversionError
from sluice.training import preparation, trees
from sluice.training.draft import Draft

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def write(inputs: list[str], model: Pipeline) -> bytes:
    """Write a fitted model, in double precision throughout.

    Args:
        inputs: Every column of a request, in declared order. Numbers, integers and booleans become doubles
            with NaN for missing, categories strings with "" for missing, all of shape (rows, 1).
        model: As `families.regressor` makes it, fitted.

    Returns:
        The graph; its output `prediction` holds doubles of shape (rows, 1). Same model, same bytes.

    Raises:
        ConversionError: A part of the model has no writer.
    """
    draft = Draft()
    matrix = preparation.write(draft, inputs, model["features"])
    estimator = model["model"]
    if isinstance(estimator, TransformedTargetRegressor):
        if (estimator.func, estimator.inverse_func) != (np.log1p, np.expm1):
            raise ConversionError("this transform of the target has no writer", action="use log or none")
        logarithm = _estimator(draft, estimator.regressor_, matrix)
        return draft.finish(draft.node("Sub", draft.node("Exp", logarithm), draft.doubles([[1.0]])))
    return draft.finish(_estimator(draft, estimator, matrix))


def _estimator(draft: Draft, estimator: Any, matrix: str) -> str:
    writer = WRITERS.get(type(estimator))
    if writer is None:
        known = ", ".join(sorted(kind.__name__ for kind in WRITERS))
        raise ConversionError(f"{type(estimator).__name__} has no writer", action=f"use one of: {known}")
    return writer(draft, estimator, matrix)


def _linear(draft: Draft, estimator: Ridge, matrix: str) -> str:
    product = draft.node("MatMul", matrix, draft.doubles(np.reshape(estimator.coef_, (-1, 1))))
    return draft.node("Add", product, draft.doubles(np.reshape(estimator.intercept_, (1, 1))))


#: What each kind of fitted estimator is written by.
WRITERS: dict[type, Callable[[Draft, Any, str], str]] = {
    Ridge: _linear,
    HistGradientBoostingRegressor: trees.boosting,
}
