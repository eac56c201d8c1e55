"""Tallies: how many rows lack a value, hold one that is new, or lie out of range, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.histograms import Categories, Histograms, Numbers
from sluice.domain.use_case import UseCase


@dataclass(frozen=True)
class Known:
    """What the release's training rows knew of a column.

    Attributes:
        column: Its name.
        missing: Share of them that had no value.
        categories: The values that they had; None of what is no category.
        low: The smallest value that is none out of range; None of what is no number.
        high: The largest.
        declared: Whether the spec says so, and not the training rows.
    """

    column: str
    missing: float
    categories: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    declared: bool = False


@dataclass(frozen=True)
class Tally:
    """What was counted.

    Attributes:
        rows: All of the rows.
        missing: For each column, how many rows have no value in it.
        unseen: How many have a value that the training rows did not have.
        outside: How many lie out of its range.
    """

    rows: int
    missing: tuple[int, ...]
    unseen: tuple[int, ...]
    outside: tuple[int, ...]

    def __add__(self, other: Tally) -> Tally:
        def both(ours: tuple[int, ...], theirs: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(one + another for one, another in zip(ours, theirs, strict=True))

        return Tally(
            self.rows + other.rows,
            both(self.missing, other.missing),
            both(self.unseen, other.unseen),
            both(self.outside, other.outside),
        )


def expected(use_case: UseCase, histograms: Histograms) -> tuple[Known, ...]:
    """What the training rows knew of each input and of the target; a declared range counts instead of theirs."""
    known = []
    for column in (*use_case.inputs, use_case.target_column):
        if column.name not in histograms.names:
            continue
        frozen = histograms.column(column.name)
        missing = frozen.missing / histograms.rows if histograms.rows else 0.0
        if isinstance(frozen, Numbers):
            low, high = column.range or (frozen.minimum, frozen.maximum)
            known.append(Known(column.name, missing, None, low, high, column.range is not None))
        else:
            categories = frozen.labels if column.type == "category" else None
            known.append(Known(column.name, missing, categories))
    return tuple(known)


def of_batch(warehouse: Warehouse, use_case: UseCase, batch_id: int, known: Sequence[Known]) -> Tally:
    """Count in a batch's rows, good ones and those in quarantine; a value that cannot be read is missing."""
    columns = sql.SQL(", ").join(sql.Identifier("landed", each.column) for each in known)
    landing, quarantine = sql.Identifier("landing", use_case.name), sql.Identifier("quarantine", use_case.name)
    good = warehouse.statement("monitoring/tally_batch", columns=columns, landing=landing, **_counts(known))
    bad = warehouse.statement("monitoring/tally_quarantine", quarantine=quarantine, **_reasons(known))
    values = {"batch_id": batch_id}
    return _tally(warehouse, good, values) + _tally(warehouse, bad, values)


def of_histograms(counted: Histograms, known: Sequence[Known]) -> Tally:
    """The same of rows that are counted already, in the bins and by the labels of the training rows.

    Whatever lies outside of a declared range was refused, so that beyond it there is nothing to count.
    """
    missing, unseen, outside = [], [], []
    for each in known:
        column = counted.column(each.column)
        missing.append(column.missing)
        unseen.append(column.other if isinstance(column, Categories) else 0)
        beyond = isinstance(column, Numbers) and not each.declared
        outside.append(column.counts[0] + column.counts[-1] if isinstance(column, Numbers) and beyond else 0)
    return Tally(counted.rows, tuple(missing), tuple(unseen), tuple(outside))


def _tally(warehouse: Warehouse, statement: sql.Composed, values: Mapping[str, object]) -> Tally:
    [row] = warehouse.rows(statement, values)
    return Tally(row["rows"], tuple(row["missing"]), tuple(row["unseen"]), tuple(row["outside"]))


def _counts(known: Sequence[Known]) -> dict[str, sql.Composable]:
    missing, unseen, outside = [], [], []
    for each in known:
        name = sql.Identifier(each.column)
        missing.append(sql.SQL("{} IS NULL").format(name))
        is_new = sql.SQL("{} <> ALL({}::text[])").format(name, sql.Literal(list(each.categories or ())))
        unseen.append(is_new if each.categories is not None else sql.SQL("false"))
        has_range = each.low is not None and each.high is not None
        beyond = sql.SQL("{} NOT BETWEEN {} AND {}").format(name, sql.Literal(each.low), sql.Literal(each.high))
        outside.append(beyond if has_range else sql.SQL("false"))
    return {"missing": _counted(missing), "unseen": _counted(unseen), "outside": _counted(outside)}


def _reasons(known: Sequence[Known]) -> dict[str, sql.Composable]:
    """The same by the reasons for which rows are in quarantine; what is null there may have another reason."""
    missing, unseen, outside = [], [], []
    for each in known:
        code = "reasons && {} OR row -> {} = 'null'"
        codes = sql.Literal([f"missing:{each.column}", f"unreadable:{each.column}"])
        missing.append(sql.SQL(code).format(codes, sql.Literal(each.column)))
        unseen.append(sql.SQL("{} = ANY(reasons)").format(sql.Literal(f"category:{each.column}")))
        outside.append(sql.SQL("{} = ANY(reasons)").format(sql.Literal(f"range:{each.column}")))
    return {"missing": _counted(missing), "unseen": _counted(unseen), "outside": _counted(outside)}


def _counted(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("count(*) FILTER (WHERE {})").format(each) for each in conditions)
