"""A use case small enough to judge by eye: y is twice x."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle, runtime_sha256
from sluice.domain.contract import Contract, Golden, Input, Limits, Lineage, Output
from sluice.domain.use_case import UseCase

SERVICE = Path(__file__).parents[2] / "bentos" / "tabular"

MakeBundle = Callable[..., Bundle]


@pytest.fixture(scope="session")
def line() -> UseCase:
    """Predicts y from x; r2 must reach 0.9."""
    return UseCase.model_validate(
        {
            "name": "line",
            "title": "A line",
            "task": "regression",
            "target": "y",
            "owner": {"name": "Tests", "alerts": ("ops@example.test",)},
            "columns": ({"name": "x", "type": "number"}, {"name": "y", "type": "number"}),
            "training": {"families": {"ridge": {}}},
            "gate": {"thresholds": {"r2": {"min": 0.9}}, "min_test_rows": 50},
            "serving": {"example": {"x": 1.0}},
        }
    )


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory, line: UseCase) -> MakeBundle:
    """Makes the bundle of a model that answers `factor` times x."""

    def make(factor: float, *, test_share: float = 0.2, version: str = "", service: Path = SERVICE) -> Bundle:
        x = helper.make_tensor_value_info("x", TensorProto.DOUBLE, [None, 1])
        y = helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, 1])
        constant = helper.make_tensor("factor", TensorProto.DOUBLE, [1], [factor])
        node = helper.make_node("Mul", ["x", "factor"], ["prediction"])
        graph = helper.make_graph([node], "line", [x], [y], [constant])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        contract = Contract(
            use_case="line",
            title="A line",
            task="regression",
            family="ridge",
            inputs=(Input(name="x", type="number"),),
            output=Output(name="y"),
            limits=Limits(max_instances=100, missing="reject", unknown_fields="reject", unseen_category="reject"),
            example={"x": 1.0},
            metrics={},
            lineage=Lineage(
                run_id="run", snapshot_id="snap", spec_sha256="", test_share=test_share, identity=line.identity
            ),
            libraries={},
            runtime_sha256=runtime_sha256(service),
            trained_at="2026-01-01T00:00:00Z",
        )
        golden = Golden(instances=({"x": 1.0}, {"x": 3.0}), predictions=(factor, 3 * factor))
        folder = tmp_path_factory.mktemp(f"bundle{version}")
        onnx.checker.check_model(model)
        return bundles.write(folder, model.SerializeToString(), contract, golden, pd.DataFrame({"x": [1.0]}))

    return make
