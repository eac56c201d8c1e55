"""Counting: the statements by which the warehouse counts the values of columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.histograms import Categories, Numbers

Column = Numbers | Categories

#: So many combinations of values are few enough to be counted about as fast as the values of one column.
_COMBINATIONS = 20_000
#: Of so many rows, so many different values are those of a column that has ten thousands of them.
_ROWS, _MANY = 2000, 1900

Cells = Callable[[Sequence[Column]], sql.Composable]


def variety(warehouse: Warehouse, numbers: Sequence[Numbers], cells: Cells) -> sql.Composed:
    """The statement that tells of numbers, by name, whether they have many different values, in a single row.

    Args:
        warehouse: Holds the statements.
        numbers: The columns, at least one.
        cells: As for `columns`; few rows of it are read.
    """
    counts = listed(
        sql.SQL("count(DISTINCT {}) > {} AS {}").format(value(number), sql.Literal(_MANY), sql.Identifier(number.name))
        for number in numbers
    )
    return warehouse.statement("histograms/variety", counts=counts, cells=cells(numbers), most=sql.Literal(_ROWS))


def columns(
    warehouse: Warehouse, counted: Sequence[Column], cells: Cells, varied: Collection[str] = ()
) -> sql.Composed:
    """The statement that counts the values of columns, a row for each bin or label that occurs.

    Args:
        warehouse: Holds the statements.
        counted: The columns; the numbers of their places come back with the counts.
        cells: Makes the statement that reads some columns' values, each named as `value` says.
        varied: Numbers that had few different values in the release and have many now.
    """
    few = [c for c in counted if isinstance(c, Categories) or (c.discrete and c.name not in varied)]
    parts = []
    for place, column in enumerate(counted):
        of: dict[str, sql.Composable] = {"ordinal": sql.Literal(place), "value": value(column)}
        if isinstance(column, Numbers):
            of |= {} if column in few else {"cells": cells([column])}
            of |= {"edges": sql.Literal(list(column.edges)), "centre": sql.Literal(column.centre)}
            parts.append(warehouse.statement(f"histograms/{'discrete' if column in few else 'numbers'}", **of))
        else:
            labels = sql.Literal(list(column.labels))
            parts.append(warehouse.statement("histograms/categories", labels=labels, **of))
    united = sql.SQL("\nUNION ALL\n").join(parts)
    if not few:
        return united
    return warehouse.statement(
        "histograms/columns",
        values=listed(value(column) for column in few),
        cells=cells(few),
        groups=listed(sql.SQL("({})").format(listed(value(column) for column in s)) for s in _sets(few)),
        columns=united,
    )


def value(column: Column) -> sql.Identifier:
    """What a column's values are called while they are counted; no name of anything else has a space."""
    return sql.Identifier(f"value {column.name}")


def listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    """Parts of a statement with commas between them."""
    return sql.SQL(", ").join(parts)


def _sets(few: Sequence[Column]) -> list[list[Column]]:
    """Columns that are counted together: as many as have few combinations of values even if every one occurs."""
    sets: list[list[Column]] = []
    combinations = 0
    # Beside what the bins and the labels are for, a value may be missing or new.
    for size, column in sorted(((len(c.counts) + 2, c) for c in few), key=lambda pair: (pair[0], pair[1].name)):
        if sets and combinations * size <= _COMBINATIONS:
            sets[-1].append(column)
            combinations *= size
        else:
            sets.append([column])
            combinations = size
    return sets
