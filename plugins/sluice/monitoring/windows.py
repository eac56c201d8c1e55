"""Windows: the current rows that a release's reference is compared with, and where they come from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.columns import SQL_TYPES, Column
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

Source = Literal["predictions", "validated"]
Wanted = Literal["auto", "predictions", "validated"]

#: What a release answered, among the columns that are compared.
PREDICTION = "prediction"


@dataclass(frozen=True)
class Window:
    """A stretch of current rows.

    Attributes:
        source: What the rows are: what the endpoint was asked, or what was ingested.
        rows: How many there are in all.
        start: First moment, for predictions.
        end: The moment after the last, for predictions.
        batch_id: The batch, for validated rows; None where there is none.
    """

    source: Source
    rows: int
    start: datetime | None = None
    end: datetime | None = None
    batch_id: int | None = None

    def __str__(self) -> str:
        if self.start is not None:
            return f"{self.rows} predictions of {self.start:%Y-%m-%d}"
        return f"the {self.rows} rows of batch {self.batch_id}" if self.batch_id is not None else "no batch"


def find(warehouse: Warehouse, use_case: UseCase, version: int, wanted: Wanted, now: datetime) -> Window:
    """Choose the rows to look at.

    Args:
        warehouse: Holds them.
        use_case: Whose rows.
        version: The release whose predictions count.
        wanted: `predictions` of the day before `now` (UTC), the newest `validated` batch, or `auto`: the
            predictions where there are enough of them to tell.
        now: The moment the check is for; aware.
    """
    if wanted == "validated":
        return _newest_batch(warehouse, use_case)
    predictions = _yesterday(warehouse, use_case, version, now)
    if wanted == "auto" and predictions.rows < use_case.monitoring.min_rows:
        return _newest_batch(warehouse, use_case)
    return predictions


def sample(
    warehouse: Warehouse, use_case: UseCase, version: int, window: Window, unlogged: Collection[str] = ()
) -> pd.DataFrame:
    """A bounded, repeatable sample of a window: one column per input, then the prediction or the target.

    Args:
        warehouse: Holds the rows.
        use_case: Whose rows; `monitoring.sample_rows` is the most that are read.
        version: The release whose predictions count.
        window: The rows to sample from.
        unlogged: Inputs of which the log of predictions holds nothing, or a hash.

    Returns:
        Every input, and the answer: `prediction` of predictions, the target of validated rows; a class by its name.
        Of predictions without the inputs that are not logged.
    """
    # Local: a DAG file's imports must stay light.
    import pandas as pd

    names = [column.name for column in use_case.inputs]
    if window.source == "predictions":
        answer = PREDICTION
        logged = [column for column in use_case.inputs if column.name not in unlogged]
        names = [column.name for column in logged]
        given = "label" if use_case.classes else "prediction"
        columns = sql.SQL(", ").join([*(_logged(column) for column in logged), sql.Identifier(answer)])
        statement = warehouse.statement("monitoring/sample_predictions", answer=given, columns=columns)
    else:
        answer = use_case.target
        inputs = sql.SQL(", ").join(sql.Identifier("validated", name) for name in names)
        # As text a boolean is written like its class: true or false.
        kind = sql.SQL("::text" if use_case.classes else "")
        target = sql.SQL("{}{} AS {}").format(sql.Identifier("validated", answer), kind, sql.Identifier(answer))
        columns = sql.SQL(", ").join((inputs, target))
        view = ("validated", use_case.name)
        statement = warehouse.statement("monitoring/sample_batch", columns=columns, view=view)
    values = {
        "use_case": use_case.name,
        "version": version,
        "window_start": window.start,
        "window_end": window.end,
        "batch_id": window.batch_id,
        "most": use_case.monitoring.sample_rows,
    }
    return pd.DataFrame(warehouse.rows(statement, values), columns=[*names, answer])


def _yesterday(warehouse: Warehouse, use_case: UseCase, version: int, now: datetime) -> Window:
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=1)
    statement = warehouse.statement("monitoring/count_predictions")
    values = {"use_case": use_case.name, "version": version, "window_start": start, "window_end": end}
    return Window("predictions", warehouse.rows(statement, values)[0]["made"], start, end)


def _newest_batch(warehouse: Warehouse, use_case: UseCase) -> Window:
    found = warehouse.rows(warehouse.statement("monitoring/newest_batch"), {"use_case": use_case.name})
    if not found:
        return Window("validated", 0)
    return Window("validated", found[0]["good"], batch_id=found[0]["batch_id"])


def _logged(column: Column) -> sql.Composed:
    """An input's value out of the log's JSON, in its own type."""
    # A caller may have written 41.0 for an integer, which a bigint would refuse.
    kind = sql.SQL(SQL_TYPES["number" if column.type == "integer" else column.type])
    name = column.name
    return sql.SQL("(features ->> {})::{} AS {}").format(sql.Literal(name), kind, sql.Identifier(name))
