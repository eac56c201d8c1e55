"""Grown models: what they learn from, their graphs, and the rows where graph and library could part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from sluice.adapters.graphs import Graph
from sluice.training.graph import responses
from sluice.training.graph.draft import Draft
from sluice.training.graph.responses import Response
from tests.unit.training.assembled import beside, splits

NAMES = ["a", "b", "c"]

Writer = Callable[[Draft, Any, str], Response]


def learnable(count: int = 600, gaps: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Three columns, and a number that follows from them and from a gap in the last."""
    draw = np.random.default_rng(1)
    inputs = draw.normal(0, 1e3, (count, 3))
    target = np.sin(inputs[:, 0] / 500) * 100 + inputs[:, 1] / 10
    inputs[draw.random(inputs.shape) < gaps] = np.nan
    return inputs, target + 50 * np.isnan(inputs[:, 2])


def classes(target: np.ndarray, count: int) -> np.ndarray:
    """The number as so many classes of one size."""
    return np.searchsorted(np.quantile(target, np.linspace(0, 1, count + 1)[1:-1]), target).astype(np.float64)


def graph_of(writer: Writer, model: Any) -> Graph:
    """A fitted model as a graph."""
    draft = Draft()
    matrix = draft.node("Concat", *[draft.input(column, "double") for column in NAMES], axis=1)
    response = writer(draft, model, matrix)
    if response.kind == "number":
        return Graph(draft.finish(response.name))
    return Graph(draft.finish(responses.probabilities(draft, response), response.classes))


def agree(graph: Graph, model: Any, inputs: np.ndarray, rtol: float, atol: float) -> None:
    """Assert that both say the same of rows."""
    expected = model.predict_proba(inputs) if hasattr(model, "predict_proba") else model.predict(inputs)
    np.testing.assert_allclose(graph.predict(pd.DataFrame(inputs, columns=NAMES)), expected, rtol=rtol, atol=atol)


def edges(model: Any, others: tuple[float, ...]) -> np.ndarray:
    """Rows on and beside every threshold, in single and in double precision, with each of some values elsewhere."""
    found = splits(model)
    rows = []
    for feature in range(3):
        values = beside(found[found[:, 0] == feature, 1])
        for other in others:
            row = np.full((len(values), 3), other)
            row[:, feature] = values
            rows.append(row)
    return np.concatenate(rows)
