"""Boosting as a graph, compared with both libraries where the two could part: on and beside the thresholds."""

from __future__ import annotations

import importlib.abc
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from sluice.adapters.graphs import Graph
from sluice.domain.errors import ConversionError, SpecError
from sluice.training.graph import boosting
from tests.unit.training.graph import grown
from tests.unit.training.graph.grown import classes, learnable

FIXED = {"random_state": 0, "n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbose": -1}


def scikit(count: int, **parameters: Any) -> Any:
    kind = HistGradientBoostingClassifier if count else HistGradientBoostingRegressor
    return kind(**{"max_iter": 30, "early_stopping": False, **parameters})


def light(count: int, **parameters: Any) -> Any:
    task = {0: "regression", 2: "binary"}.get(count, "multiclass")
    return boosting.estimator(task, **{"n_estimators": 30, **FIXED, **parameters})  # type: ignore[arg-type]


def graph_of(model: Any) -> Graph:
    return grown.graph_of(boosting.lightgbm if hasattr(model, "booster_") else boosting.scikit, model)


def agree(model: Any, inputs: np.ndarray) -> None:
    grown.agree(graph_of(model), model, inputs, rtol=1e-11, atol=1e-9)


def fitted(make: Any, count: int, gaps: float, **parameters: Any) -> Any:
    inputs, target = learnable(gaps=gaps)
    return make(count, **parameters).fit(inputs, classes(target, count) if count else target)


both = pytest.mark.parametrize("make", [scikit, light])
tasks = pytest.mark.parametrize("count", [0, 2, 4], ids=["number", "two classes", "four classes"])
gappy = pytest.mark.parametrize("gaps", [0.0, 0.2], ids=["complete", "with gaps"])


@both
@tasks
@gappy
def test_rows_on_a_threshold_and_one_step_beside_it_go_the_same_way(make: Any, count: int, gaps: float) -> None:
    model = fitted(make, count, gaps)
    rows = grown.edges(model, others=(np.nan, 0.0, 250.0))
    assert len(rows) > 1000
    agree(model, rows)


@both
@tasks
@gappy
def test_missing_values_and_extremes_go_the_same_way(make: Any, count: int, gaps: float) -> None:
    model = fitted(make, count, gaps)
    tiny = [sign * f(boosting.ZERO) for sign in (1, -1) for f in (float, up, down)]
    odd = [np.nan, 0.0, -0.0, 1.7e308, -1.7e308, 5e-324, -5e-324, *tiny]
    agree(model, np.array([[x, y, z] for x in odd for y in odd for z in odd]))
    agree(model, learnable(gaps=0.3)[0])


def up(value: float) -> float:
    return float(np.nextafter(value, np.inf))


def down(value: float) -> float:
    return float(np.nextafter(value, -np.inf))


@both
def test_numbers_around_zero_go_the_same_way_where_a_threshold_lies_at_zero(make: Any) -> None:
    # Columns of -1, 0 and 1, as booleans become: LightGBM parts them by the smallest number that it takes for one.
    draw = np.random.default_rng(3)
    inputs = draw.choice([-1.0, 0.0, 1.0], (400, 3))
    model = make(0, learning_rate=0.5).fit(inputs, inputs @ [1, 10, 100] + inputs[:, 0] * inputs[:, 1])
    near = [sign * f(boosting.ZERO) for sign in (1, -1) for f in (float, up, down)]
    values = [*near, 0.0, -0.0, 1e-36, -1e-36, 1e-34, -1e-34, 1.0, -1.0, 0.5, -0.5]
    agree(model, np.array([[x, y, z] for x in values for y in values for z in values]))


@both
@tasks
def test_trees_without_a_split_add_their_one_value(make: Any, count: int) -> None:
    inputs = np.zeros((60, 3))
    agree(make(count).fit(inputs, np.arange(60) % count if count else np.full(60, 7.25)), learnable(60)[0])


@both
@tasks
def test_limits_on_depth_and_bins_change_nothing(make: Any, count: int) -> None:
    bins = "max_bins" if make is scikit else "max_bin"
    agree(fitted(make, count, 0.2, max_depth=1, **{bins: 5}), learnable(gaps=0.2)[0])


def test_large_scores_are_no_overflow() -> None:
    inputs, target = learnable()
    for count in (2, 4):
        model = light(count, learning_rate=60.0, min_sum_hessian_in_leaf=0.0).fit(inputs, classes(target, count))
        assert np.abs(model.decision_function(inputs)).max() > 800
        agree(model, inputs)


def test_a_split_on_native_categories_is_refused() -> None:
    inputs = np.column_stack([np.tile(np.arange(6.0), 50), np.zeros(300), np.zeros(300)])
    target = np.isin(inputs[:, 0], [1, 4]) * 10.0
    with pytest.raises(ConversionError, match="one-hot"):
        graph_of(scikit(0, categorical_features=[0]).fit(inputs, target))
    with pytest.raises(ConversionError, match="one-hot"):
        graph_of(light(0).fit(inputs, target, categorical_feature=[0]))


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (scikit(0, loss="poisson"), "poisson"),
        (light(0, objective="poisson"), "poisson"),
        (light(0, reg_sqrt=True), "sqrt"),
        (light(2, objective="binary", sigmoid=2.0), "sigmoid:2"),
        (light(4, objective="multiclassova"), "multiclassova"),
        (light(0, boosting_type="rf", subsample=0.5, subsample_freq=1), "regression"),
        (light(0, linear_tree=True), "linear"),
        (light(0, zero_as_missing=True), "missing"),
    ],
    ids=["poisson", "LightGBM's poisson", "root", "steep sigmoid", "one against all", "forest", "linear", "zero"],
)
def test_what_is_not_a_plain_sum_of_trees_is_refused(model: Any, complaint: str) -> None:
    inputs, target = learnable()
    count = getattr(model, "n_classes", 0) or (4 if model.get_params().get("objective") == "multiclassova" else 2)
    model.fit(inputs, classes(target, count) + 1)
    with pytest.raises(ConversionError, match=complaint):
        graph_of(model)


def test_a_machine_without_openmp_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing(importlib.abc.MetaPathFinder):
        def find_spec(self, fullname: str, path: object, target: object = None) -> None:
            if fullname == "lightgbm":
                raise OSError("libgomp.so.1: cannot open shared object file")

    for module in [name for name in sys.modules if name.split(".")[0] == "lightgbm"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(SpecError, match=r"libgomp\.so\.1.*apt-get install libgomp1.*brew install libomp"):
        boosting.estimator("regression")


def test_lightgbm_is_loaded_only_where_it_is_used() -> None:
    code = "import sys, sluice.training.families, sluice.training.graph; sys.exit('lightgbm' in sys.modules)"
    plugins = Path(__file__).parents[4] / "plugins"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(plugins)}, check=False).returncode == 0
