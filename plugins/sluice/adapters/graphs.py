"""Graphs: a model as ONNX operators, and raw rows as what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.domain.errors import BundleError

if TYPE_CHECKING:
    import pandas as pd

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
#: What a model says of rows: shape (rows,) for a number, (rows, classes) for the probabilities of classes.
Scores = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

#: Rows scored at once; bounds the memory, not the answer.
_CHUNK = 2_000


@dataclass(frozen=True)
class Graph:
    """A model as one ONNX graph.

    Attributes:
        model: The bytes of `model.onnx`.
    """

    model: bytes

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(self.model, options, providers=["CPUExecutionProvider"])

    def predict(self, frame: pd.DataFrame) -> Scores:
        """Score raw rows.

        Args:
            frame: Holds at least the graph's inputs as columns; a missing value is NaN or None.

        Returns:
            Shape (rows,), in the target's unit; for classes shape (rows, classes), their probabilities.

        Raises:
            BundleError: A column that the graph needs is not there.
        """
        inputs = self._session.get_inputs()
        absent = [i.name for i in inputs if i.name not in frame.columns]
        if absent:
            raise BundleError(f"the rows lack {absent[0]!r}, which the model needs", action="score validated rows")
        feeds = {
            i.name: (texts if i.type == "tensor(string)" else doubles)(frame[i.name]).reshape(-1, 1) for i in inputs
        }
        parts = []
        for start in range(0, max(len(frame), 1), _CHUNK):
            part = slice(start, start + _CHUNK)
            (scored,) = self._session.run(["prediction"], {name: rows[part] for name, rows in feeds.items()})
            parts.append(scored)
        answer: Scores = np.concatenate(parts)
        return answer[:, 0] if answer.shape[1] == 1 else answer


def doubles(values: pd.Series[Any]) -> Vector:
    """Numbers, integers or booleans as doubles, NaN for missing."""
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def texts(values: pd.Series[Any]) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    """Categories as strings, "" for missing."""
    return values.astype(object).where(values.notna(), "").astype(str).to_numpy(dtype=object)
