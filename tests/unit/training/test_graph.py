"""The whole graph, from raw inputs to the target's unit, compared with scikit-learn on rows of every kind."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

from sluice.adapters.bundles import Graph, agreement
from sluice.domain.errors import ConversionError
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import graph
from sluice.training.families import FAMILIES, regressor
from sluice.training.snapshots import Rows
from tests.unit.training.conftest import make_rows, spec

CASES = [(family, transform) for family in get_args(Family) for transform in ("none", "log")]
INPUTS = ["area", "rooms", "lift", "district"]
#: Sums of larger products cancel to nothing but rounding.
LARGEST = {"ridge": 1e4, "hist_gradient_boosting": 1.7e308}


@cache
def fitted(family: Family, transform: str) -> tuple[Pipeline, Graph]:
    use_case = spec(training={"target_transform": transform})
    rows = Rows.of(use_case, make_rows(800)).train
    model = regressor(use_case, family, FAMILIES[family].start).fit(rows.inputs, rows.target)
    return model, Graph(graph.write(INPUTS, model))


def agrees(model: Pipeline, written: Graph, frame: pd.DataFrame) -> None:
    parity = agreement(np.asarray(model.predict(frame)), written.predict(frame), 1e-5, 1e-8)
    assert parity.holds, parity


@cache
def edges(family: Family, transform: str) -> list[float]:
    """Values on and beside the model's thresholds."""
    model, _ = fitted(family, transform)
    estimator = getattr(model["model"], "regressor_", model["model"])
    if not hasattr(estimator, "_predictors"):
        return [0.0]
    nodes = np.concatenate([predictor.nodes for (predictor,) in estimator._predictors])  # noqa: SLF001 - no public door
    values = np.unique(nodes["num_threshold"][nodes["is_leaf"] == 0])
    values = values[np.isfinite(values)]
    return sorted(np.concatenate([values, np.nextafter(values, -np.inf), np.nextafter(values, np.inf)]).tolist())


def instances(family: Family, transform: str) -> st.SearchStrategy[dict[str, Any]]:
    largest = LARGEST[family]
    number = st.one_of(
        st.sampled_from(edges(family, transform)),
        st.floats(-largest, largest),
        st.sampled_from([0.0, -0.0, 5e-324, np.nan]),
    )
    return st.fixed_dictionaries(
        {
            "area": number,
            "rooms": number,
            "lift": st.sampled_from([True, False, None]),
            "district": st.sampled_from(["north", "south", "old town", "North", "moon", "", None]),
        }
    )


# A linear model extrapolates: far outside the data its logarithm is that of infinity, in the graph as well.
@pytest.mark.filterwarnings("ignore:overflow encountered in expm1:RuntimeWarning")
@pytest.mark.parametrize(("family", "transform"), CASES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_graph_answers_as_its_model_on_any_rows(family: Family, transform: str, data: st.DataObject) -> None:
    model, written = fitted(family, transform)
    drawn = data.draw(st.lists(instances(family, transform), min_size=1, max_size=80))
    agrees(model, written, pd.DataFrame.from_records(drawn, columns=INPUTS))


@pytest.mark.parametrize(("family", "transform"), CASES)
def test_the_graph_answers_as_its_model_on_thousands_of_rows(family: Family, transform: str) -> None:
    model, written = fitted(family, transform)
    agrees(model, written, make_rows(4000, seed=9)[INPUTS])


def test_every_input_is_named_by_its_column_and_everything_is_double(flats: UseCase, rows: Rows) -> None:
    _, written = fitted("hist_gradient_boosting", "log")
    model = onnx.load_from_string(written.model)
    tensor = onnx.TensorProto
    kinds = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    assert kinds == {"area": tensor.DOUBLE, "rooms": tensor.DOUBLE, "lift": tensor.DOUBLE, "district": tensor.STRING}
    (output,) = model.graph.output
    assert (output.name, output.type.tensor_type.elem_type) == ("prediction", tensor.DOUBLE)
    assert tensor.FLOAT not in {constant.data_type for constant in model.graph.initializer}
    casts = [node.attribute[0].i for node in model.graph.node if node.op_type == "Cast"]
    assert set(casts) == {tensor.DOUBLE}


@pytest.mark.parametrize(("family", "transform"), CASES)
def test_the_same_training_gives_the_same_bytes(family: Family, transform: str) -> None:
    _, first = fitted(family, transform)
    fitted.cache_clear()
    _, second = fitted(family, transform)
    assert first.model == second.model


@pytest.mark.parametrize("columns", [["area"], ["district"]], ids=["numbers only", "categories only"])
@pytest.mark.parametrize("family", FAMILIES)
def test_inputs_of_one_kind_alone_are_enough(family: Family, columns: list[str], rows: Rows) -> None:
    use_case = spec(features={"ratios": []})
    kept = tuple(c for c in use_case.columns if c.name in [*columns, "rent"])
    use_case = use_case.model_copy(update={"columns": kept})
    inputs = rows.train.inputs[columns]
    model = regressor(use_case, family, FAMILIES[family].start).fit(inputs, rows.train.target)
    agrees(model, Graph(graph.write(columns, model)), rows.test.inputs[columns])


def test_an_estimator_without_a_writer_is_refused(flats: UseCase, rows: Rows) -> None:
    model = regressor(spec(training={"target_transform": "none"}), "ridge", {})
    model.steps[-1] = ("model", LinearRegression())
    model.fit(rows.train.inputs, rows.train.target)
    with pytest.raises(ConversionError, match="LinearRegression has no writer"):
        graph.write(INPUTS, model)


def test_a_column_may_not_take_the_outputs_name(flats: UseCase, rows: Rows) -> None:
    model, _ = fitted("ridge", "log")
    with pytest.raises(ConversionError, match="output"):
        graph.write(["prediction", *INPUTS], model)
