"""Boosting as a graph, compared with scikit-learn where the two could part: on and beside the thresholds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from sluice.adapters.bundles import Graph
from sluice.domain.errors import ConversionError
from sluice.training import trees
from sluice.training.draft import Draft

NAMES = ["a", "b", "c"]


def drawn(model: HistGradientBoostingRegressor) -> Graph:
    draft = Draft()
    matrix = draft.node("Concat", *[draft.input(name, "double") for name in NAMES], axis=1)
    return Graph(draft.finish(trees.boosting(draft, model, matrix)))


def learnable(count: int = 600, gaps: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    inputs = draw.normal(0, 1e3, (count, 3))
    target = np.sin(inputs[:, 0] / 500) * 100 + inputs[:, 1] / 10
    inputs[draw.random(inputs.shape) < gaps] = np.nan
    return inputs, target + 50 * np.isnan(inputs[:, 2])


def thresholds(model: HistGradientBoostingRegressor) -> dict[int, np.ndarray]:
    nodes = np.concatenate([predictor.nodes for (predictor,) in model._predictors])  # noqa: SLF001 - no public door
    inner = nodes[nodes["is_leaf"] == 0]
    return {f: np.unique(inner["num_threshold"][inner["feature_idx"] == f]) for f in range(3)}


def agree(model: HistGradientBoostingRegressor, inputs: np.ndarray) -> None:
    answers = drawn(model).predict(pd.DataFrame(inputs, columns=NAMES))
    np.testing.assert_allclose(answers, model.predict(inputs), rtol=1e-12, atol=1e-9)


def test_rows_on_a_threshold_and_one_step_beside_it_go_the_same_way() -> None:
    inputs, target = learnable()
    model = HistGradientBoostingRegressor(max_iter=40, early_stopping=False).fit(inputs, target)
    edges = []
    for feature, values in thresholds(model).items():
        finite = values[np.isfinite(values)]
        for value in (finite, np.nextafter(finite, -np.inf), np.nextafter(finite, np.inf)):
            for other in (np.nan, 0.0, 250.0):
                rows = np.full((len(value), 3), other)
                rows[:, feature] = value
                edges.append(rows)
    edge_rows = np.concatenate(edges)
    assert len(edge_rows) > 1000
    agree(model, edge_rows)


def test_missing_values_and_extremes_go_the_same_way() -> None:
    inputs, target = learnable()
    model = HistGradientBoostingRegressor(max_iter=40, early_stopping=False).fit(inputs, target)
    odd = [np.nan, 0.0, -0.0, 1.7e308, -1.7e308, 5e-324, -5e-324]
    agree(model, np.array([[x, y, z] for x in odd for y in odd for z in odd]))
    agree(model, inputs)


def test_a_tree_without_a_split_adds_its_one_value() -> None:
    inputs, _ = learnable(60)
    model = HistGradientBoostingRegressor(max_iter=3, early_stopping=False).fit(inputs, np.full(60, 7.25))
    agree(model, inputs)


def test_depth_and_binning_limits_change_nothing() -> None:
    inputs, target = learnable()
    agree(HistGradientBoostingRegressor(max_iter=20, max_depth=1, max_bins=5).fit(inputs, target), inputs)


def test_a_split_on_native_categories_is_refused() -> None:
    inputs = np.column_stack([np.tile(np.arange(6.0), 50), np.zeros(300), np.zeros(300)])
    target = np.isin(inputs[:, 0], [1, 4]) * 10.0
    model = HistGradientBoostingRegressor(max_iter=3, categorical_features=[0]).fit(inputs, target)
    with pytest.raises(ConversionError, match="one-hot"):
        drawn(model)


def test_a_loss_in_another_unit_is_refused() -> None:
    inputs, _ = learnable()
    model = HistGradientBoostingRegressor(max_iter=3, loss="poisson").fit(inputs, np.ones(len(inputs)))
    with pytest.raises(ConversionError, match="poisson"):
        drawn(model)
