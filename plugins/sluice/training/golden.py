"""Golden rows: raw inputs whose outputs are known, for parity checks wherever the bundle goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.adapters.bundles import frame
from sluice.domain.columns import Column
from sluice.domain.contract import Golden
from sluice.domain.errors import DataError
from sluice.domain.use_case import UseCase
from sluice.training.families import scores

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

ROWS = 200
#: Of these, how many are kept for rows with missing values.
ROWS_WITH_GAPS = 50

#: A category that no column declares.
UNSEEN = "a category that was never seen"


def write(use_case: UseCase, model: Pipeline, rows: pd.DataFrame) -> Golden:
    """Pick rows and note what the fitted model says of them.

    Args:
        use_case: Declares the inputs, and whether the endpoint takes missing values.
        model: The fitted scikit-learn model, which the graph is compared with.
        rows: Raw rows that the model was not fitted on.

    Raises:
        DataError: None of the rows is one that the endpoint takes.
    """
    instances = choose(use_case, rows)
    if not instances:
        raise DataError(
            "no held-out row is complete, and the endpoint refuses missing values",
            f"validated.{use_case.name}",
            "set serving.missing to impute, or ingest complete rows",
        )
    answers = scores(use_case, model, frame(instances, (column.name for column in use_case.inputs)))
    outputs = answers.reshape(len(instances), -1).tolist()
    return Golden(instances=tuple(instances), predictions=tuple(tuple(row) for row in outputs))


def choose(use_case: UseCase, rows: pd.DataFrame) -> list[dict[str, float | int | bool | str | None]]:
    """Rows spread over the given ones, some with missing values where the endpoint takes them.

    A nullable column that no picked row lacks is emptied in one of them, so that its imputation is checked; and
    where the endpoint takes unseen categories each category column holds one in one row.
    """
    inputs = use_case.inputs
    gaps = rows.isna().any(axis=1).to_numpy()
    picked = [instance(inputs, rows.iloc[i]) for i in _spread(np.flatnonzero(~gaps), ROWS - ROWS_WITH_GAPS)]
    if use_case.serving.missing == "impute":
        picked += [instance(inputs, rows.iloc[i]) for i in _spread(np.flatnonzero(gaps), ROWS_WITH_GAPS)]
    if not picked:
        return []
    changed: list[dict[str, str | None]] = []
    if use_case.serving.missing == "impute":
        changed += [{c.name: None} for c in inputs if c.nullable and all(p[c.name] is not None for p in picked)]
    if use_case.features.unseen_category != "reject":
        changed += [{c.name: UNSEEN} for c in inputs if c.type == "category"]
    return picked + [{**picked[0], **change} for change in changed]


def instance(inputs: tuple[Column, ...], row: pd.Series[Any]) -> dict[str, float | int | bool | str | None]:
    """One raw row as a caller would send it."""
    return {column.name: _value(column, row[column.name]) for column in inputs}


def _value(column: Column, value: object) -> float | int | bool | str | None:
    if value is None or value != value:
        return None
    match column.type:
        case "category":
            return str(value)
        case "boolean":
            return bool(value)
        case "integer":
            return int(float(str(value)))
        case _:
            return float(str(value))


def _spread(positions: np.ndarray[tuple[int], np.dtype[np.int64]], count: int) -> list[int]:
    """At most so many of the positions, evenly spread over them."""
    if len(positions) <= count:
        return [int(p) for p in positions]
    return [int(positions[i]) for i in np.linspace(0, len(positions) - 1, count).astype(int)]
