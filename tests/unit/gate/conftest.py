"""Models of several inputs, small enough to judge by eye: a weighted sum of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.domain.use_case import UseCase
from tests.unit.conftest import MakeBundle

MakeSum = Callable[[UseCase, Sequence[float]], Bundle]


@pytest.fixture(scope="session")
def plots() -> UseCase:
    """Predicts what a plot of land costs from its area, its year and whether it has water."""
    return UseCase.model_validate(
        {
            "name": "plots",
            "title": "Plots",
            "task": "regression",
            "target": "price",
            "owner": {"name": "Tests", "alerts": ("ops@example.test",)},
            "columns": (
                {"name": "area", "type": "number", "range": (0, 100)},
                {"name": "year", "type": "integer", "range": (1900, 2000), "nullable": True},
                {"name": "water", "type": "boolean"},
                {"name": "price", "type": "number"},
            ),
            "training": {"families": {"ridge": {}}},
            "gate": {"thresholds": {"r2": {"min": 0.5}}, "min_test_rows": 50},
            "serving": {"example": {"area": 1.0, "year": 1950, "water": True}},
        }
    )


@pytest.fixture(scope="session")
def make_sum(tmp_path_factory: pytest.TempPathFactory, make_bundle: MakeBundle) -> MakeSum:
    """Makes the bundle of a model: the inputs times a weight each; of two classes, the odds of the second."""

    def make(use_case: UseCase, weights: Sequence[float]) -> Bundle:
        names = [column.name for column in use_case.inputs]
        column = np.array(weights, dtype=np.float64)[:, None]
        matrix = np.hstack([np.zeros_like(column), column]) if use_case.classes else column
        nodes = [helper.make_node("Concat", names, ["row"], axis=1)]
        nodes.append(helper.make_node("MatMul", ["row", "weights"], ["sum" if use_case.classes else "prediction"]))
        if use_case.classes:
            nodes.append(helper.make_node("Softmax", ["sum"], ["prediction"], axis=1))
        graph = helper.make_graph(
            nodes,
            use_case.name,
            [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in names],
            [helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, matrix.shape[1]])],
            [numpy_helper.from_array(matrix, "weights")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        onnx.checker.check_model(model)
        plain = make_bundle(1.0)
        folder = tmp_path_factory.mktemp("sum")
        return bundles.write(
            folder, model.SerializeToString(), plain.contract, plain.golden, pd.DataFrame({"x": [1.0]})
        )

    return make
