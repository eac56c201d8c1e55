"""Feedback: what a release answered in a window of time, and what turned out to be true of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg2 import sql

from sluice.adapters.metrics import Scores, Vector
from sluice.adapters.warehouse import Warehouse
from sluice.domain.columns import SQL_TYPES, Column
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Span:
    """What one release answered in a stretch of time.

    Attributes:
        use_case: Its name.
        version: The release.
        start: The first moment; aware.
        end: The moment after the last.
        classes: What can be answered, in the order of the probabilities; none for numbers.
    """

    use_case: str
    version: int
    start: datetime
    end: datetime
    classes: tuple[str, ...]

    @classmethod
    def before(cls, now: datetime, days: int, use_case: str, version: int, classes: tuple[str, ...]) -> Span:
        """The whole UTC days before a moment, so that a check that runs again sees the same."""
        end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(use_case, version, end - timedelta(days=days), end, classes)

    def values(self, most: int) -> dict[str, Any]:
        """As statements name them.

        Args:
            most: Rows that are read.
        """
        return {
            "use_case": self.use_case,
            "version": self.version,
            "window_start": self.start,
            "window_end": self.end,
            "most": most,
        }


@dataclass(frozen=True)
class Labelled:
    """Predictions whose truth is known.

    Attributes:
        actual: Shape (rows,): a number, or the position of a class.
        said: Shape (rows,), or (rows, classes) of probabilities.
        total: How many there are; more than `rows` where a sample was drawn.
        strange: Labels that were left out, because the release does not know their class.
        places: Where each row's inputs are: its answer, when that was given, and its place there.
    """

    actual: Vector
    said: Scores
    total: int
    strange: int
    places: tuple[tuple[str, datetime, int], ...]

    @property
    def rows(self) -> int:
        """How many were read."""
        return len(self.actual)


def labelled(warehouse: Warehouse, span: Span, most: int) -> Labelled:
    """The predictions whose truth is known by now, each with its newest label; a repeatable sample where many.

    Args:
        warehouse: Holds them.
        span: Which predictions.
        most: That are read.
    """
    found = warehouse.rows(warehouse.statement("monitoring/labelled"), span.values(most))
    positions = {name: float(index) for index, name in enumerate(span.classes)}
    known = [row for row in found if not span.classes or row["true_label"] in positions]
    truths = [positions[row["true_label"]] if span.classes else row["true_number"] for row in known]
    return Labelled(
        actual=np.array(truths, dtype=np.float64),
        said=_said(span, known),
        total=found[0]["total"] if found else 0,
        strange=len(found) - len(known),
        places=tuple((row["answer_id"], row["predicted_at"], row["place"]) for row in known),
    )


def answered(warehouse: Warehouse, span: Span, most: int) -> tuple[Scores, int]:
    """What was said in all, labelled or not: a repeatable sample where it is much, and how much there is.

    Args:
        warehouse: Holds it.
        span: Which predictions.
        most: That are read.
    """
    values = span.values(most)
    made = warehouse.rows(warehouse.statement("monitoring/count_predictions"), values)[0]["made"]
    return _said(span, warehouse.rows(warehouse.statement("monitoring/answered"), values)), made


def inputs(warehouse: Warehouse, rows: Labelled, columns: Sequence[Column]) -> pd.DataFrame:
    """Some of the inputs of labelled predictions, a row for each; missing where the log holds none.

    Args:
        warehouse: Holds the log.
        rows: The predictions.
        columns: Which inputs.
    """
    # Local: a DAG file's imports must stay light.
    import pandas as pd

    names = [column.name for column in columns]
    if not names or not rows.rows:
        return pd.DataFrame(columns=names, index=range(rows.rows))
    answers, moments, places = zip(*rows.places, strict=True)
    statement = warehouse.statement(
        "monitoring/labelled_inputs", columns=sql.SQL(", ").join(_logged(column) for column in columns)
    )
    named = {"answers": list(answers), "moments": list(moments), "places": list(places)}
    return pd.DataFrame(warehouse.rows(statement, named), columns=names)


def logged(use_case: UseCase, unlogged: frozenset[str]) -> tuple[Column, ...]:
    """The inputs that slices are made by and whose values the log holds, each once.

    Args:
        use_case: Its `gate.slices`.
        unlogged: Inputs of which the log holds nothing, or a hash.
    """
    sliced = {policy.column for policy in use_case.gate.slices}
    return tuple(column for column in use_case.inputs if column.name in sliced - unlogged)


def _said(span: Span, rows: list[dict[str, Any]]) -> Scores:
    if not span.classes:
        return np.array([row["prediction"] for row in rows], dtype=np.float64)
    # A class that the answer does not name was as good as impossible.
    shares = [[row["probabilities"].get(name, 0.0) for name in span.classes] for row in rows]
    return np.array(shares, dtype=np.float64).reshape(len(rows), len(span.classes))


def _logged(column: Column) -> sql.Composed:
    """An input's value out of the log's JSON, in its own type."""
    # A caller may have written 41.0 for an integer, which a bigint would refuse.
    kind = sql.SQL(SQL_TYPES["number" if column.type == "integer" else column.type])
    value = sql.SQL("(features ->> (array_position(names, {}) - 1))::{} AS {}")
    return value.format(sql.Literal(column.name), kind, sql.Identifier(column.name))
