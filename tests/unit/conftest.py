"""Use cases small enough to judge by eye: y is twice x, and a loan is repaid more often the more is earned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle, runtime_sha256
from sluice.domain.contract import Contract, Golden, Input, Label, Limits, Lineage, Output
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
def loans() -> UseCase:
    """Predicts whether a loan is repaid from what a person earns; where they live and their age feed no model."""
    return UseCase.model_validate(
        {
            "name": "loans",
            "title": "Loans",
            "task": "binary",
            "target": "outcome",
            "positive_label": "repaid",
            "labels": {"repaid": "Repaid", "lost": "Lost"},
            "owner": {"name": "Tests", "alerts": ("ops@example.test",)},
            "columns": (
                {"name": "income", "type": "number"},
                {"name": "home", "type": "category", "role": "ignore", "categories": ("own", "rent"), "nullable": True},
                {"name": "age", "type": "integer", "role": "ignore", "nullable": True},
                {"name": "outcome", "type": "category", "categories": ("repaid", "lost")},
            ),
            "training": {"families": {"logistic_regression": {}}},
            "gate": {"thresholds": {"roc_auc": {"min": 0.8}}, "min_test_rows": 50},
            "serving": {"example": {"income": 1.0}},
        }
    )


@pytest.fixture(scope="session")
def make_bundle(tmp_path_factory: pytest.TempPathFactory, line: UseCase) -> MakeBundle:
    """Makes the bundle of a model that answers `factor` times x."""

    def make(factor: float, *, test_share: float = 0.2, version: str = "", service: Path = SERVICE) -> Bundle:
        return _write(
            tmp_path_factory.mktemp(f"bundle{version}"),
            line,
            [helper.make_node("MatMul", ["x", "weights"], ["prediction"])],
            np.array([[factor]]),
            Golden(instances=({"x": 1.0}, {"x": 3.0}), predictions=((factor,), (3 * factor,))),
            service=service,
            test_share=test_share,
        )

    return make


@pytest.fixture(scope="session")
def make_classifier(tmp_path_factory: pytest.TempPathFactory) -> MakeBundle:
    """Makes the bundle of a model of classes: the softmax of one number times a weight for each class."""

    def make(
        use_case: UseCase,
        weights: Sequence[float],
        *,
        out_of_fold: dict[str, float] | None = None,
        service: Path = SERVICE,
    ) -> Bundle:
        [column] = use_case.inputs
        odds = np.exp(np.outer([1.0, -2.0], weights))
        shares = odds / odds.sum(axis=1, keepdims=True)
        return _write(
            tmp_path_factory.mktemp("classifier"),
            use_case,
            [
                helper.make_node("MatMul", [column.name, "weights"], ["scores"]),
                helper.make_node("Softmax", ["scores"], ["prediction"], axis=1),
            ],
            np.array([weights], dtype=np.float64),
            Golden(
                instances=({column.name: 1.0}, {column.name: -2.0}),
                predictions=tuple(tuple(float(p) for p in row) for row in shares),
            ),
            service=service,
            out_of_fold=out_of_fold or {},
        )

    return make


def _write(
    folder: Path,
    use_case: UseCase,
    nodes: list[NodeProto],
    weights: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    golden: Golden,
    *,
    service: Path,
    test_share: float = 0.2,
    out_of_fold: dict[str, float] | None = None,
) -> Bundle:
    [column] = use_case.inputs
    given = helper.make_tensor_value_info(column.name, TensorProto.DOUBLE, [None, 1])
    told = helper.make_tensor_value_info("prediction", TensorProto.DOUBLE, [None, weights.shape[1]])
    graph = helper.make_graph(nodes, use_case.name, [given], [told], [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    contract = Contract(
        use_case=use_case.name,
        title=use_case.title,
        task=use_case.task,
        family=next(iter(use_case.training.families)),
        inputs=(Input(name=column.name, type="number"),),
        output=Output(
            name=use_case.target,
            labels=tuple(Label(value=c, title=use_case.labels.get(c, c)) for c in use_case.classes),
            positive=use_case.positive_label,
        ),
        limits=Limits(max_instances=100, missing="reject", unknown_fields="reject", unseen_category="reject"),
        example=use_case.serving.example,
        metrics={},
        out_of_fold=out_of_fold or {},
        lineage=Lineage(
            run_id="run", snapshot_id="snap", spec_sha256="", test_share=test_share, identity=use_case.identity
        ),
        libraries={},
        runtime_sha256=runtime_sha256(service),
        trained_at="2026-01-01T00:00:00Z",
    )
    return bundles.write(folder, model.SerializeToString(), contract, golden, pd.DataFrame({column.name: [1.0]}))
