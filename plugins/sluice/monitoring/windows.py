"""Windows: the current rows that a release's reference is compared with, and where they come from."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from psycopg2 import sql

from sluice.adapters import histograms
from sluice.adapters.histograms import PREDICTION
from sluice.adapters.warehouse import Warehouse
from sluice.domain.columns import SQL_TYPES, Column
from sluice.domain.figures import plain
from sluice.domain.histograms import Categories, Histograms, Numbers
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

Source = Literal["predictions", "validated"]
Wanted = Literal["auto", "predictions", "validated"]

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """A stretch of current rows.

    Attributes:
        source: What the rows are: what the endpoint was asked, or what was ingested.
        rows: How many there are in all; None before they were counted.
        start: First moment, for predictions.
        end: The moment after the last, for predictions.
        batch_id: The batch, for validated rows; None where there is none.
    """

    source: Source
    rows: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    batch_id: int | None = None

    def __str__(self) -> str:
        if self.start is not None and self.end is not None:
            return (
                f"{plain(self.rows or 0)} predictions {_stretch(self.start.astimezone(UTC), self.end.astimezone(UTC))}"
            )
        return f"the {plain(self.rows or 0)} rows of batch {self.batch_id}" if self.batch_id is not None else "no batch"


def between(start: datetime, end: datetime) -> Window:
    """The predictions of any stretch of time.

    Args:
        start: First moment; aware.
        end: The moment after the last; aware.
    """
    return Window("predictions", None, start, end)


def of_batch(batch_id: int) -> Window:
    """The rows of any accepted batch."""
    return Window("validated", None, batch_id=batch_id)


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
    if wanted == "auto" and (predictions.rows or 0) < use_case.monitoring.min_rows:
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
        given = sql.Identifier("label" if use_case.classes else "prediction")
        answered = sql.SQL("{} AS {}").format(given, sql.Identifier(answer))
        columns = sql.SQL(", ").join([*(_logged(column) for column in logged), answered])
        statement = warehouse.statement("monitoring/sample_predictions", columns=columns)
    else:
        answer = use_case.target
        inputs = sql.SQL(", ").join(sql.Identifier("landed", name) for name in names)
        # As text a boolean is written like its class: true or false.
        kind = sql.SQL("::text" if use_case.classes else "")
        target = sql.SQL("{}{} AS {}").format(sql.Identifier("landed", answer), kind, sql.Identifier(answer))
        columns = sql.SQL(", ").join((inputs, target))
        landing = ("landing", use_case.name)
        statement = warehouse.statement("monitoring/sample_batch", columns=columns, landing=landing)
    values = {
        "use_case": use_case.name,
        "version": version,
        "window_start": window.start,
        "window_end": window.end,
        "batch_id": window.batch_id,
        "most": use_case.monitoring.sample_rows,
        "highest": _highest(use_case.monitoring.sample_rows, window.rows),
    }
    return pd.DataFrame(warehouse.rows(statement, values), columns=[*names, answer])


def counted(warehouse: Warehouse, use_case: UseCase, version: int, window: Window) -> Window:
    """The same window with its rows counted, if they were not.

    Args:
        warehouse: Holds the rows.
        use_case: Whose rows.
        version: The release whose predictions count.
        window: Any.
    """
    if window.rows is not None:
        return window
    if window.source == "predictions":
        statement = warehouse.statement("monitoring/count_predictions")
        values = {"use_case": use_case.name, "version": version}
        values |= {"window_start": window.start, "window_end": window.end}
        return replace(window, rows=warehouse.rows(statement, values)[0]["made"])
    values = {"use_case": use_case.name, "batch_id": window.batch_id}
    return replace(window, rows=warehouse.rows(warehouse.statement("monitoring/count_batch"), values)[0]["good"])


def distribution(
    warehouse: Warehouse,
    use_case: UseCase,
    version: int,
    window: Window,
    frozen: Histograms,
    unlogged: Collection[str] = (),
) -> Histograms:
    """How the values of all rows of a window lie: of every input, and of the answer, as `sample` has them.

    Args:
        warehouse: Counts the rows.
        use_case: Whose rows.
        version: The release whose predictions count.
        window: The rows.
        frozen: The release's histograms; its bins and labels are used.
        unlogged: Inputs of which the log of predictions holds nothing, or a hash.
    """
    if window.start is not None and window.end is not None:
        stretch = (version, window.start, window.end)
        return histograms.of_predictions(warehouse, use_case, frozen, *stretch, unlogged)
    # No batch has the number 0.
    return histograms.of_batch(warehouse, use_case, frozen, window.batch_id or 0)


def labels(
    warehouse: Warehouse, use_case: UseCase, version: int, window: Window, frozen: Histograms
) -> Numbers | Categories | None:
    """How what turned out to be true of a window's predictions lies; None where the window is of none.

    Args:
        warehouse: Counts the labels.
        use_case: Whose labels.
        version: The release whose predictions count.
        window: The predictions.
        frozen: The release's histograms; its bins and labels are used.
    """
    if window.start is None or window.end is None:
        return None
    return histograms.of_labels(warehouse, use_case, frozen, version, window.start, window.end)


def _yesterday(warehouse: Warehouse, use_case: UseCase, version: int, now: datetime) -> Window:
    end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return counted(warehouse, use_case, version, between(end - DAY, end))


def _highest(most: int, rows: int | None) -> int:
    """The hash that more rows than wanted do not exceed, of so many rows; the highest there is where all may be wanted.

    How many do not exceed it is chance: ten standard deviations more than wanted are expected.
    """
    share = (most + 10 * most**0.5) / rows if rows else 1.0
    return min(int((share - 0.5) * 2**64), 2**63 - 1)


def _newest_batch(warehouse: Warehouse, use_case: UseCase) -> Window:
    found = warehouse.rows(warehouse.statement("monitoring/newest_batch"), {"use_case": use_case.name})
    if not found:
        return Window("validated", 0)
    return Window("validated", found[0]["good"], batch_id=found[0]["batch_id"])


def _stretch(start: datetime, end: datetime) -> str:
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if start == midnight and end - start == DAY:
        return f"of {start:%Y-%m-%d}"
    return f"from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _logged(column: Column) -> sql.Composed:
    """An input's value out of the log's JSON, in its own type."""
    # A caller may have written 41.0 for an integer, which a bigint would refuse.
    kind = sql.SQL(SQL_TYPES["number" if column.type == "integer" else column.type])
    name = sql.Literal(column.name)
    place = sql.SQL("array_position(names, {}) - 1").format(name)
    return sql.SQL("(features ->> ({}))::{} AS {}").format(place, kind, sql.Identifier(column.name))
