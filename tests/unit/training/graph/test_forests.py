"""Trees and forests as graphs, compared with scikit-learn where the two could part: on and beside the thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from sluice.adapters.graphs import Graph
from sluice.training.graph import forests
from tests.unit.training.graph import grown
from tests.unit.training.graph.grown import classes, learnable

SIZE = {"max_leaf_nodes": 40, "random_state": 0}
MANY = {**SIZE, "n_estimators": 15, "n_jobs": 1}

REGRESSORS = [forests.TreeRegressor(**SIZE), forests.ForestRegressor(**MANY), forests.ExtraRegressor(**MANY)]
CLASSIFIERS = [forests.TreeClassifier(**SIZE), forests.ForestClassifier(**MANY), forests.ExtraClassifier(**MANY)]


def name(model: object) -> str:
    return type(model).__name__


def graph_of(model: Any) -> Graph:
    return grown.graph_of(forests.forest if hasattr(model, "estimators_") else forests.tree, model)


def agree(model: Any, inputs: np.ndarray) -> None:
    grown.agree(graph_of(model), model, inputs, rtol=1e-12, atol=1e-12)


def fitted(model: Any, count: int, gaps: float = 0.0) -> Any:
    inputs, target = learnable(gaps=gaps)
    return clone(model).fit(inputs, classes(target, count) if count else target)


CASES = [pytest.param(m, 0, id=name(m)) for m in REGRESSORS] + [
    pytest.param(m, count, id=f"{name(m)}-{count}") for m in CLASSIFIERS for count in (2, 3, 5)
]


@pytest.mark.parametrize(("model", "count"), CASES)
def test_rows_on_a_threshold_and_one_step_beside_it_go_the_same_way(model: Any, count: int) -> None:
    known = fitted(model, count)
    rows = grown.edges(known, others=(-400.0, 0.0, 250.0))
    assert len(rows) > 500
    agree(known, rows)


@pytest.mark.parametrize(("model", "count"), CASES)
def test_extremes_go_the_same_way(model: Any, count: int) -> None:
    odd = [0.0, -0.0, 1.7e308, -1.7e308, 1e300, 3.5e38, -3.5e38, 5e-324, -5e-324, 1e-46, 1e-40]
    agree(fitted(model, count), np.array([[x, y, z] for x in odd for y in odd for z in odd]))


@pytest.mark.parametrize(("model", "count"), CASES)
def test_missing_values_go_the_same_way(model: Any, count: int) -> None:
    inputs, _ = learnable(gaps=0.3)
    agree(fitted(model, count, gaps=0.2), inputs)


@pytest.mark.parametrize("model", [*REGRESSORS, *CLASSIFIERS], ids=name)
def test_a_number_beyond_single_precision_can_be_learned_from(model: Any) -> None:
    inputs, target = learnable()
    inputs[::50, 0] = 1e300
    agree(clone(model).fit(inputs, classes(target, 2)), inputs)


def test_a_tree_without_a_split_says_the_one_thing_it_knows() -> None:
    inputs, _ = learnable(60)
    agree(forests.TreeRegressor().fit(inputs, np.full(60, 7.25)), inputs)
    same = np.zeros((60, 3))
    agree(forests.ForestClassifier(n_estimators=5, random_state=0).fit(same, np.arange(60) % 3), inputs)


@pytest.mark.parametrize("model", [forests.ForestClassifier, forests.ForestRegressor])
def test_a_large_forest_stays_small_enough_to_serve(model: Any) -> None:
    inputs, target = learnable(3000)
    target = classes(target + np.random.default_rng(0).normal(0, 80, 3000), 2)
    large = model(n_estimators=50, max_leaf_nodes=500, random_state=0).fit(inputs, target)
    nodes = sum(one.tree_.node_count for one in large.estimators_)
    assert nodes > 30_000
    # 200 trees of 500 leaves have 200,000 nodes: 4 MB at this rate.
    assert len(graph_of(large).model) / nodes < 20
