"""Forests: decision trees alone and averaged, which see single precision, and their graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from onnx import TensorProto
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sluice.training.graph import trees
from sluice.training.graph.draft import Draft
from sluice.training.graph.responses import Response

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]

#: Numbers further from 0 than this count as this. Single precision holds some that are larger, but scikit-learn adds
#: up all that it sees, to look for gaps, and the sum must not leave single precision either.
LARGEST = 1e30


class _Bounded:
    """Bounds what it sees by `LARGEST`; scikit-learn's trees refuse a number that is beyond single precision."""

    def fit(self, X: Matrix, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803 - scikit-learn's names
        super().fit(_bounded(X), y, sample_weight=sample_weight)  # type: ignore[misc]
        return self

    def predict(self, X: Matrix) -> Any:  # noqa: N803 - scikit-learn's name
        return super().predict(_bounded(X))  # type: ignore[misc]


class _BoundedClasses(_Bounded):
    def predict_proba(self, X: Matrix) -> Any:  # noqa: N803 - scikit-learn's name
        return super().predict_proba(_bounded(X))  # type: ignore[misc]


class TreeRegressor(_Bounded, DecisionTreeRegressor):  # type: ignore[misc]
    """A decision tree for a number."""


class TreeClassifier(_BoundedClasses, DecisionTreeClassifier):  # type: ignore[misc]
    """A decision tree for classes."""


class ForestRegressor(_Bounded, RandomForestRegressor):  # type: ignore[misc]
    """A random forest for a number."""


class ForestClassifier(_BoundedClasses, RandomForestClassifier):  # type: ignore[misc]
    """A random forest for classes."""


class ExtraRegressor(_Bounded, ExtraTreesRegressor):  # type: ignore[misc]
    """Extremely randomised trees for a number."""


class ExtraClassifier(_BoundedClasses, ExtraTreesClassifier):  # type: ignore[misc]
    """Extremely randomised trees for classes."""


def tree(draft: Draft, model: Any, matrix: str) -> Response:
    """Write a fitted decision tree; see `forest`."""
    return _mean(draft, [model.tree_], getattr(model, "classes_", ()), matrix)


def forest(draft: Draft, model: Any, matrix: str) -> Response:
    """Write a fitted forest.

    Args:
        draft: The graph.
        model: The fitted estimator.
        matrix: Name of the doubles it sees, shape (rows, features).
    """
    return _mean(draft, [one.tree_ for one in model.estimators_], getattr(model, "classes_", ()), matrix)


def _mean(draft: Draft, fitted: Sequence[Any], classes: Sequence[float], matrix: str) -> Response:
    """The mean of what trees say: a number, or a probability for each class, of two for the second alone."""
    columns = {0: [0], 2: [1]}.get(len(classes), list(range(len(classes))))
    shapes = [_nodes(one) for one in fitted]
    # A leaf of the operator answers for one column, so that every class but the first of two has its own trees.
    targets = [[replace(shape, weights=shape.weights[:, column]) for shape in shapes] for column in columns]
    sums = trees.total(draft, _single(draft, matrix), targets)
    mean = draft.node("Div", sums, draft.doubles([[float(len(fitted))]]))
    return Response(mean, "probability" if len(classes) else "number", len(classes))


def _nodes(fitted: Any) -> trees.Nodes:
    """One tree, what its leaves answer having the shape (leaves, classes), or (leaves, 1) for a number."""
    return trees.grown(
        leaf=fitted.children_left == -1,
        feature=fitted.feature,
        threshold=fitted.threshold,
        missing_left=fitted.missing_go_to_left,
        left=fitted.children_left,
        right=fitted.children_right,
        weights=fitted.value[:, 0, :],
    )


def _single(draft: Draft, matrix: str) -> str:
    """Numbers as these trees see them; a comparison of two doubles is then a comparison of theirs."""
    ends = draft.doubles(-LARGEST), draft.doubles(LARGEST)
    rounded = draft.node("Cast", draft.node("Clip", matrix, *ends), to=TensorProto.FLOAT)
    return draft.node("Cast", rounded, to=TensorProto.DOUBLE)


def _bounded(matrix: Matrix) -> Matrix:
    return np.clip(matrix, -LARGEST, LARGEST)
