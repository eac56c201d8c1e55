"""Linear models: ridge and logistic regression, and their graphs."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sluice.training.graph.draft import Draft
from sluice.training.graph.responses import Response

log = logging.getLogger(__name__)


class Logistic(LogisticRegression):  # type: ignore[misc]
    """Logistic regression that says in the log where it stopped before it had converged.

    Such a fit is a valid model, only not the best of its kind, and is judged on held-out rows like any other.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803 - scikit-learn's names
        """Fit; see scikit-learn."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            super().fit(X, y, sample_weight=sample_weight)
        if max(self.n_iter_) >= self.max_iter:
            log.info("logistic regression with C=%g stopped after %d steps", self.C, self.max_iter)
        return self


def number(draft: Draft, model: Any, matrix: str) -> Response:
    """Write a fitted Ridge."""
    return Response(_sum(draft, model, matrix), "number")


def margin(draft: Draft, model: Any, matrix: str) -> Response:
    """Write a fitted RidgeClassifier."""
    return Response(_sum(draft, model, matrix), "margin", len(model.classes_))


def log_odds(draft: Draft, model: Any, matrix: str) -> Response:
    """Write a fitted Logistic."""
    return Response(_sum(draft, model, matrix), "log_odds", len(model.classes_))


def _sum(draft: Draft, model: Any, matrix: str) -> str:
    weights = np.atleast_2d(model.coef_).T
    product = draft.node("MatMul", matrix, draft.doubles(weights))
    return draft.node("Add", product, draft.doubles(np.reshape(model.intercept_, (1, -1))))
