"""Preparation: the feature steps written as ONNX operators, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice.domain.errors import ConversionError
from sluice.training.features import Categories, Numbers
from sluice.training.geometry import ClusterDistances, Rotations, direction
from sluice.training.graph import gaps
from sluice.training.graph.draft import Draft
from sluice.training.imputation import FARTHEST, ChainedEquations, Neighbours

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer


def write(draft: Draft, inputs: list[str], transformer: ColumnTransformer) -> str:
    """Write the fitted feature steps.

    Args:
        draft: The graph.
        inputs: Every column of a request, in declared order.
        transformer: As `features.pipeline` makes it, fitted.

    Returns:
        Name of the matrix of shape (rows, features).

    Raises:
        ConversionError: A step has no writer.
    """
    branches = [(branch, columns) for name, branch, columns in transformer.transformers_ if name != "remainder"]
    words = {name for branch, columns in branches if isinstance(branch[0], Categories) for name in columns}
    for name in inputs:
        draft.input(name, "string" if name in words else "double")
    return _joined(draft, [_branch(draft, branch) for branch, _ in branches])


def _branch(draft: Draft, steps: Any) -> str:
    read = steps[0]
    if isinstance(read, Categories):
        if not isinstance(steps[1], OneHotEncoder) or len(steps) != 2:
            raise _no_writer(steps[1])
        return _one_hot(draft, read, steps[1])
    if not isinstance(read, Numbers):
        raise _no_writer(read)
    matrix = _numbers(draft, read)
    for step in steps[1:]:
        if type(step) not in WRITERS:
            raise _no_writer(step)
        matrix = WRITERS[type(step)](draft, step, matrix)
    return matrix


def _numbers(draft: Draft, read: Numbers) -> str:
    columns = list(read.columns)
    for numerator, denominator in read.ratios:
        ratio = draft.node("Div", read.columns[numerator], read.columns[denominator])
        # An infinite ratio counts as missing; NaN is missing already.
        columns.append(draft.node("Where", draft.node("IsInf", ratio), draft.doubles([[np.nan]]), ratio))
    return _joined(draft, columns)


def _scaled(draft: Draft, step: StandardScaler, matrix: str) -> str:
    centered = draft.node("Sub", matrix, draft.doubles(step.mean_.reshape(1, -1)))
    return draft.node("Div", centered, draft.doubles(step.scale_.reshape(1, -1)))


def _rotated(draft: Draft, step: Rotations, matrix: str) -> str:
    parts = [matrix]
    bounded = gaps.bounded(draft, matrix, [[-FARTHEST]], [[FARTHEST]])
    for first, second, degrees in step.turns:
        ends = [draft.node("Gather", bounded, draft.integers([column]), axis=1) for column in (first, second)]
        # Of shape (1, angles), so that each product is one number's, rounded as it is in numpy.
        turns = [draft.doubles([part]) for part in zip(*map(direction, degrees), strict=True)]
        products = [draft.node("Mul", end, turn) for end, turn in zip(ends, turns, strict=True)]
        parts.append(draft.node("Add", *products))
    return draft.node("Concat", *parts, axis=1)


def _distances(draft: Draft, step: ClusterDistances, matrix: str) -> str:
    parts = [matrix]
    for (columns, _), mean, scale, centres in zip(step.clusters, step.means_, step.scales_, step.centres_, strict=True):
        raw = draft.node("Gather", matrix, draft.integers(columns), axis=1)
        points = draft.node("Div", draft.node("Sub", raw, draft.doubles([mean])), draft.doubles([scale]))
        points = gaps.bounded(draft, points, [[-FARTHEST]], [[FARTHEST]])
        squares = []
        for axis in range(len(columns)):
            along = draft.node("Gather", points, draft.integers([axis]), axis=1)
            gap = draft.node("Sub", along, draft.doubles([centres[:, axis]]))
            squares.append(draft.node("Mul", gap, gap))
        total = squares[0]
        for square in squares[1:]:
            total = draft.node("Add", total, square)
        parts.append(draft.node("Sqrt", total))
    return draft.node("Concat", *parts, axis=1)


def _one_hot(draft: Draft, read: Categories, encoder: OneHotEncoder) -> str:
    encoded = []
    for position, (name, declared) in enumerate(zip(read.columns, encoder.categories_, strict=True)):
        same = draft.node("Equal", name, draft.constant(_strings(declared)))
        column = draft.node("Cast", same, to=TensorProto.DOUBLE)
        if read.replace:
            known = draft.doubles(np.isin(declared, read.known_[position]).reshape(-1, 1))
            stays = draft.node("Greater", draft.node("MatMul", column, known), draft.doubles([[0.0]]))
            frequent = draft.doubles([declared == read.frequent_[position]])
            column = draft.node("Where", stays, column, frequent)
        encoded.append(column)
    return _joined(draft, encoded)


def _joined(draft: Draft, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else draft.node("Concat", *parts, axis=1)


def _strings(values: Any) -> Any:
    return np.asarray(values, dtype=object).reshape(1, -1)


def _no_writer(step: Any) -> ConversionError:
    return ConversionError(f"the feature step {type(step).__name__} has no writer", action="use declared features only")


#: What each kind of fitted step on numbers is written by.
WRITERS: dict[type, Callable[[Draft, Any, str], str]] = {
    SimpleImputer: gaps.typical,
    Neighbours: gaps.neighbours,
    ChainedEquations: gaps.chained_equations,
    Rotations: _rotated,
    ClusterDistances: _distances,
    StandardScaler: _scaled,
}
