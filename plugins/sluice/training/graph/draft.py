"""Drafts: an ONNX graph while it is being written."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sluice.domain.errors import ConversionError

#: The operator sets that the graphs are written in.
OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
OUTPUT = "prediction"

_INPUT_TYPES = {"double": TensorProto.DOUBLE, "string": TensorProto.STRING}


class Draft:
    """A graph in the making. The same calls in the same order give the same bytes."""

    def __init__(self) -> None:
        self._inputs: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def input(self, name: str, kind: str) -> str:
        """Declare an input of shape (rows, 1).

        Args:
            name: The column's.
            kind: double or string.
        """
        if name == OUTPUT:
            raise ConversionError(
                f"the column {name!r} has the name of the graph's output",
                "use_case.yaml",
                "rename it; keep `header`",
            )
        self._inputs.append(helper.make_tensor_value_info(name, _INPUT_TYPES[kind], ["rows", 1]))
        return name

    def constant(self, values: Any) -> str:
        """Add a constant tensor; strings where the array holds objects."""
        name = f"/constant/{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def doubles(self, values: Any) -> str:
        """Add a constant tensor of doubles."""
        return self.constant(np.asarray(values, dtype=np.float64))

    def integers(self, values: Any) -> str:
        """Add a constant tensor of integers: positions, axes and shapes."""
        return self.constant(np.asarray(values, dtype=np.int64))

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add an operator of one output and return the output's name."""
        # A slash keeps it apart from every column.
        output = f"/{operator}/{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, domain=domain, **attributes))
        return output

    def nodes(self, operator: str, *inputs: str, outputs: int, domain: str = "", **attributes: Any) -> tuple[str, ...]:
        """Add an operator of several outputs and return their names."""
        name = f"/{operator}/{len(self._nodes)}"
        names = [f"{name}/{index}" for index in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, name=name, domain=domain, **attributes))
        return tuple(names)

    def finish(self, result: str, columns: int = 1) -> bytes:
        """Name the result `prediction` and return the graph as bytes.

        Args:
            result: Name of doubles of shape (rows, columns).
            columns: One for a number, as many as classes for their probabilities.

        Raises:
            ConversionError: What was written is not a valid graph.
        """
        self._nodes.append(helper.make_node("Identity", [result], [OUTPUT], name=OUTPUT))
        output = helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, ["rows", columns])
        graph = helper.make_graph(self._nodes, "sluice", self._inputs, [output], self._constants)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="sluice")
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ConversionError(f"the graph is not valid: {error}", action="report this model family") from error
        content: bytes = model.SerializeToString(deterministic=True)
        return content
