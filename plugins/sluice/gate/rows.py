"""Rows: what a candidate is judged on, and a sample of what it may have learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg2 import sql

from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

    from sluice.adapters.warehouse import Warehouse

#: Most rows to train on that are looked at; bounds the time and the memory of a judgement.
MOST_TRAIN_ROWS = 20_000


@dataclass(frozen=True)
class Rows:
    """Validated rows of both parts, one per source row.

    Attributes:
        test: Every held-out row: inputs, target, what slices and fairness look at, `_identity`, and `_repeated`:
            whether any row to train on has the same inputs.
        train: A sample of the rows to train on: inputs, target and `_identity`.
    """

    test: pd.DataFrame
    train: pd.DataFrame


def read(warehouse: Warehouse, use_case: UseCase) -> Rows:
    """Read the rows of now; the same ones whenever the data is the same.

    Args:
        warehouse: Holds `validated.<use_case>`.
        use_case: Names the columns.
    """
    inputs = [column.name for column in use_case.inputs]
    looked_at = [s.column for s in use_case.gate.slices] + [f.column for f in use_case.gate.fairness]
    view = ("validated", use_case.name)
    test = warehouse.statement(
        "gate/test_rows", view=view, inputs=_listed(inputs), columns=_listed([*inputs, use_case.target, *looked_at])
    )
    train = warehouse.statement(
        "gate/train_rows",
        view=view,
        columns=_listed([*inputs, use_case.target]),
        max_rows=sql.Literal(MOST_TRAIN_ROWS),
    )
    return Rows(test=warehouse.arrow(test).to_pandas(), train=warehouse.arrow(train).to_pandas())


def _listed(names: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(name) for name in dict.fromkeys(names))
