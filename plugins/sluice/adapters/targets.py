"""Targets: what was observed, as the numbers that models learn and metrics judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.domain.errors import DataError
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


def encode(use_case: UseCase, values: pd.Series[Any]) -> Vector:
    """The target column as doubles: a number as it is, a class as its position in `use_case.classes`.

    Raises:
        DataError: A class that the spec does not know.
    """
    if use_case.task == "regression":
        return values.to_numpy(dtype=np.float64)
    names = values.map({True: "true", False: "false"}) if use_case.target_column.type == "boolean" else values
    positions = {name: float(index) for index, name in enumerate(use_case.classes)}
    encoded: Vector = np.asarray(names.map(positions).to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    if np.isnan(encoded).any():
        stray = values[np.isnan(encoded)].iloc[0]
        raise DataError(
            f"the target holds {stray!r}, which is none of its classes",
            f"{use_case.name}.{use_case.target}",
            f"declare it, or clean the source; the classes are: {', '.join(use_case.classes)}",
        )
    return encoded
