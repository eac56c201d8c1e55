"""Gaps: imputation written as ONNX operators.

The writer of a step takes the draft, the fitted step and the name of a matrix of shape (rows, columns) with NaN for
missing, and returns the name of the filled matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn.impute import SimpleImputer

from sluice.training.graph.draft import Draft
from sluice.training.imputation import COMPARABLE, FARTHEST, ChainedEquations, Neighbours


def typical(draft: Draft, step: SimpleImputer, matrix: str) -> str:
    """Write a fitted SimpleImputer: one value for each column."""
    filled = draft.doubles(step.statistics_.reshape(1, -1))
    return draft.node("Where", draft.node("IsNaN", matrix), filled, matrix)


def neighbours(draft: Draft, step: Neighbours, matrix: str) -> str:
    """Write a fitted Neighbours: distances are taken of rows with gaps alone."""
    count = draft.node("ReduceSum", _double(draft, draft.node("IsNaN", matrix)), draft.integers([1]), keepdims=0)
    rows = draft.node("Transpose", draft.node("NonZero", draft.node("Greater", count, draft.doubles([0.0]))))
    part = draft.node("GatherND", matrix, rows)
    missing = draft.node("IsNaN", part)
    guess = _of_neighbours(draft, step, _distance(draft, step, part, missing))
    return draft.node("ScatterND", matrix, rows, draft.node("Where", missing, guess, part))


def bounded(draft: Draft, matrix: str, low: Any, high: Any) -> str:
    """Keep numbers within bounds, which are given in shape (1, columns) or (1, 1)."""
    return draft.node("Min", draft.node("Max", matrix, draft.doubles(low)), draft.doubles(high))


def _distance(draft: Draft, step: Neighbours, part: str, missing: str) -> str:
    """Distances of shape (rows, donors), added up in the order of the columns as the step does."""
    scaled = bounded(draft, _standard(draft, step, part, missing), [[-FARTHEST]], [[FARTHEST]])
    known = _double(draft, draft.node("Not", missing))
    donors, theirs = step.standard(step.donors_), ~np.isnan(step.donors_)
    total = ""
    for column in range(donors.shape[1]):
        own = draft.node("Gather", scaled, draft.integers([column]), axis=1)
        difference = draft.node("Sub", own, draft.doubles([donors[:, column]]))
        square = draft.node("Mul", difference, difference)
        square = draft.node("Mul", square, draft.node("Gather", known, draft.integers([column]), axis=1))
        if not theirs[:, column].all():
            square = draft.node("Mul", square, draft.doubles([theirs[:, column]]))
        total = draft.node("Add", total, square) if total else square
    shared = draft.node("MatMul", known, draft.doubles(theirs.T))
    comparable = draft.node("Greater", shared, draft.doubles([[0.0]]))
    return draft.node("Where", comparable, draft.node("Div", total, shared), draft.doubles([[np.inf]]))


def _of_neighbours(draft: Draft, step: Neighbours, distance: str) -> str:
    """Means over the nearest donors, of shape (rows, columns)."""
    count, fallback = min(step.neighbours, len(step.donors_)), step.fallback()
    parts, order = [], []
    for columns, donors in step.groups():
        near = draft.node("Where", draft.constant([donors]), distance, draft.doubles([[np.inf]]))
        nearest, _ = draft.nodes("TopK", near, draft.integers([count]), outputs=2, axis=1, largest=0)
        last = draft.node("Gather", nearest, draft.integers([count - 1]), axis=1)
        reach = draft.node("Min", last, draft.doubles([[COMPARABLE]]))
        chosen = _double(draft, draft.node("LessOrEqual", near, reach))
        total = draft.node("MatMul", chosen, draft.doubles(np.nan_to_num(step.donors_[:, columns], nan=0.0)))
        asked = draft.node("ReduceSum", chosen, draft.integers([1]))
        mean, some = draft.node("Div", total, asked), draft.node("Greater", asked, draft.doubles([[0.0]]))
        parts.append(draft.node("Where", some, mean, draft.doubles([fallback[columns]])))
        order += columns
    joined = parts[0] if len(parts) == 1 else draft.node("Concat", *parts, axis=1)
    return draft.node("Gather", joined, draft.integers(np.argsort(order)), axis=1)


def chained_equations(draft: Draft, step: ChainedEquations, matrix: str) -> str:
    """Write fitted ChainedEquations, every round of them."""
    missing = draft.node("IsNaN", matrix)
    current = bounded(draft, _standard(draft, step, matrix, missing), [step.low_], [step.high_])
    columns = range(len(step.mean_))
    gaps = [draft.node("And", missing, draft.constant([np.arange(len(columns)) == c])) for c in columns]
    weights = [draft.doubles(step.weights_[:, [column]]) for column in columns]
    for _ in range(step.rounds):
        for column in columns:
            guess = draft.node("MatMul", current, weights[column])
            guess = draft.node("Add", guess, draft.doubles([[step.offsets_[column]]]))
            guess = bounded(draft, guess, [[step.low_[column]]], [[step.high_[column]]])
            current = draft.node("Where", gaps[column], guess, current)
    filled = draft.node("Mul", current, draft.doubles([step.scale_]))
    return draft.node("Where", missing, draft.node("Add", filled, draft.doubles([step.mean_])), matrix)


def _standard(draft: Draft, step: Neighbours | ChainedEquations, matrix: str, missing: str) -> str:
    centered = draft.node("Sub", matrix, draft.doubles([step.mean_]))
    scaled = draft.node("Div", centered, draft.doubles([step.scale_]))
    return draft.node("Where", missing, draft.doubles([[0.0]]), scaled)


def _double(draft: Draft, mask: str) -> str:
    return draft.node("Cast", mask, to=TensorProto.DOUBLE)
