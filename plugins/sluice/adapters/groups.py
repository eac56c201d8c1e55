"""Groups: the rows by the values of one column, or by bands of a number."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.domain.columns import Column
from sluice.domain.figures import plain

if TYPE_CHECKING:
    import pandas as pd

#: Which rows, shape (rows,).
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
#: The group of the rows that lack a value.
MISSING = "missing"


@dataclass(frozen=True)
class Group:
    """Some of the rows.

    Attributes:
        name: As people read it, for example `home = RENT` or `2 <= income < 4`.
        code: Part of a check's code: letters, digits and `_` only; the same value has the same code for ever.
        rows: Shape (all rows,), whether each belongs to it.
    """

    name: str
    code: str
    rows: Mask


def groups(column: Column, edges: Sequence[float], values: pd.Series[Any]) -> tuple[Group, ...]:
    """The rows by the values a column may take, or by bands; those without a value are a group of their own.

    Args:
        column: Which one.
        edges: Where the bands of a number meet, rising; none for a category or a boolean.
        values: The column's values, one per row.
    """
    found = list(_bands(column, edges, values) if edges else _values(column, values))
    missing = values.isna().to_numpy(dtype=bool)
    if missing.any():
        found.append(Group(f"{column.name} is missing", MISSING, missing))
    return tuple(found)


def _values(column: Column, values: pd.Series[Any]) -> Iterator[Group]:
    texts = values.map({True: "true", False: "false"}) if column.type == "boolean" else values
    declared = column.categories or ("false", "true")
    # Rows that were validated under an older spec may hold what this one no longer knows.
    known = (*declared, *sorted(set(texts.dropna()) - set(declared)))
    for value in known:
        yield Group(f"{column.name} = {value}", _code(value, known), (texts == value).to_numpy(dtype=bool))


def _bands(column: Column, edges: Sequence[float], values: pd.Series[Any]) -> Iterator[Group]:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    spoken = [plain(edge, None) for edge in edges]
    codes = [re.sub(r"\W", "_", text.replace(",", "").replace("-", "minus_")) for text in spoken]
    yield Group(f"{column.name} < {spoken[0]}", f"below_{codes[0]}", numbers < edges[0])
    for (low, high), (since, until), (start, end) in zip(
        pairwise(edges), pairwise(spoken), pairwise(codes), strict=True
    ):
        name = f"{since} <= {column.name} < {until}"
        yield Group(name, f"{start}_to_{end}", (numbers >= low) & (numbers < high))
    yield Group(f"{column.name} >= {spoken[-1]}", f"from_{codes[-1]}", numbers >= edges[-1])


def _code(value: str, known: Sequence[str]) -> str:
    """A value in the letters of a code, with a few digits of its digest where another would have the same code."""
    code = _letters(value)
    if code and code != MISSING and [_letters(other) for other in known].count(code) == 1:
        return code
    return f"{code or 'value'}_{hashlib.sha256(value.encode()).hexdigest()[:6]}"


def _letters(value: str) -> str:
    return re.sub(r"[^0-9A-Za-z]+", "_", value).strip("_")
