"""The design: rows as a matrix that scikit-learn fits, categories as codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """The inputs of some rows.

    Attributes:
        names: The columns.
        categories: For each column its categories, none for a number.
        matrix: Shape (rows, columns), doubles; a category as its position; NaN for missing.
        groups: Shape (rows,), the same number for rows that are the same thing.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    matrix: Floats = field(repr=False)
    groups: NDArray[np.int64] = field(repr=False)

    @property
    def are_categories(self) -> NDArray[np.bool_]:
        """For each column, whether it holds categories."""
        return np.array([bool(c) for c in self.categories], dtype=bool)

    def __len__(self) -> int:
        return len(self.matrix)

    def take(self, rows: NDArray[Any]) -> Design:
        """Some of the rows, by mask or position."""
        return Design(self.names, self.categories, self.matrix[rows], self.groups[rows])


def of(columns: Mapping[str, Sequence[str]], values: Mapping[str, NDArray[Any]]) -> Design:
    """Make a design.

    Args:
        columns: Each column's categories, none for a number.
        values: By column doubles with NaN, or texts with None, one for each row; a text that is no category of its
            column is missing.
    """
    encoded = [
        _codes(values[name], known) if known else values[name].astype(np.float64) for name, known in columns.items()
    ]
    matrix = np.column_stack(encoded)
    _, groups = np.unique(np.nan_to_num(matrix, nan=np.inf), axis=0, return_inverse=True)
    return Design(tuple(columns), tuple(tuple(known) for known in columns.values()), matrix, groups.ravel())


def thin(rows: int, most: int) -> NDArray[np.int64]:
    """The positions of at most so many rows, drawn evenly; the same ones each time."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])


def _codes(values: NDArray[Any], known: Sequence[str]) -> Floats:
    places = {name: float(i) for i, name in enumerate(known)}
    return np.array([places.get(value, np.nan) for value in values.tolist()])
