"""Preparation: the feature steps written as ONNX operators, in double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice.domain.errors import ConversionError
from sluice.training.draft import Draft
from sluice.training.features import Categories, Numbers

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
    parts = [_branch(draft, branch) for branch, _ in branches]
    return parts[0] if len(parts) == 1 else draft.node("Concat", *parts, axis=1)


def _branch(draft: Draft, steps: Any) -> str:
    read = steps[0]
    if isinstance(read, Categories):
        if not isinstance(steps[1], OneHotEncoder) or len(steps) != 2:
            raise _no_writer(steps[1])
        return _one_hot(draft, read.columns, steps[1])
    if not isinstance(read, Numbers):
        raise _no_writer(read)
    matrix = _numbers(draft, read)
    for step in steps[1:]:
        if isinstance(step, SimpleImputer):
            filled = draft.doubles(step.statistics_.reshape(1, -1))
            matrix = draft.node("Where", draft.node("IsNaN", matrix), filled, matrix)
        elif isinstance(step, StandardScaler):
            matrix = draft.node("Sub", matrix, draft.doubles(step.mean_.reshape(1, -1)))
            matrix = draft.node("Div", matrix, draft.doubles(step.scale_.reshape(1, -1)))
        else:
            raise _no_writer(step)
    return matrix


def _numbers(draft: Draft, read: Numbers) -> str:
    columns = list(read.columns)
    for numerator, denominator in read.ratios:
        ratio = draft.node("Div", read.columns[numerator], read.columns[denominator])
        # An infinite ratio counts as missing; NaN is missing already.
        columns.append(draft.node("Where", draft.node("IsInf", ratio), draft.doubles([[np.nan]]), ratio))
    return columns[0] if len(columns) == 1 else draft.node("Concat", *columns, axis=1)


def _one_hot(draft: Draft, columns: list[str], encoder: OneHotEncoder) -> str:
    encoded = [
        draft.node("Cast", draft.node("Equal", name, draft.constant(_strings(known))), to=TensorProto.DOUBLE)
        for name, known in zip(columns, encoder.categories_, strict=True)
    ]
    return encoded[0] if len(encoded) == 1 else draft.node("Concat", *encoded, axis=1)


def _strings(values: Any) -> Any:
    return np.asarray(values, dtype=object).reshape(1, -1)


def _no_writer(step: Any) -> ConversionError:
    return ConversionError(f"the feature step {type(step).__name__} has no writer", action="use declared features only")
