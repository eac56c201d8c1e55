"""Histograms of rows: of training rows in memory, once per release; of any count of later ones in the warehouse."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psycopg2 import sql

from sluice.adapters import counting
from sluice.adapters.counting import Cells, Column
from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.contract import Contract
from sluice.domain.histograms import Categories, Histograms, Numbers
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Row = dict[str, Any]

#: What a release answered, among the columns.
PREDICTION = "prediction"

#: Bins of equal shares of the training rows, and of equal widths between their smallest and largest value. The first
#: are fine where most rows are, the second where few are and distances are long.
_SHARES, _WIDTHS = 200, 50
#: Further shares at either end, for long tails.
_TAILS = (1e-3, 1e-4, 1e-5)
#: So many different values are few.
_FEW = 10_000
#: Beyond this a sum of squares is no number.
_LARGEST = 1e150


def freeze(contract: Contract, rows: pd.DataFrame) -> Histograms:
    """The histograms of a release's training rows, whose bins and labels later rows are counted by.

    The same rows in the same order give the same histograms, to the last digit.

    Args:
        contract: Says which columns there are, and of which kind.
        rows: Holds inputs, and where they are known the target and `prediction`; a class by its name.
    """
    number = not contract.output.labels
    kinds = {i.name: i.type for i in contract.inputs}
    numeric = {name: kind in ("number", "integer") for name, kind in kinds.items()}
    numeric |= {contract.output.name: number, PREDICTION: number}
    columns = []
    for name in numeric:
        if name in rows:
            boolean = kinds.get(name) == "boolean"
            columns.append(_numbers(name, rows[name]) if numeric[name] else _categories(name, rows[name], boolean))
    return Histograms(rows=len(rows), columns=tuple(columns))


def of_batch(warehouse: Warehouse, use_case: UseCase, frozen: Histograms, batch_id: int) -> Histograms:
    """The histograms of an accepted batch.

    Args:
        warehouse: Counts the rows: those that have landed, because the view of validated ones reads all batches.
        use_case: Whose batch.
        frozen: The release's; its bins and labels are used.
        batch_id: The batch; quarantined rows have left it.

    Returns:
        Those of every input and of the target.
    """
    landing = ("landing", use_case.name)
    counted = [c for c in frozen.columns if c.name != PREDICTION]

    def cells(columns: Sequence[Column]) -> sql.Composed:
        values = counting.listed(
            sql.SQL("landed.{} AS {}").format(sql.Identifier(c.name), counting.value(c)) for c in columns
        )
        return warehouse.statement("histograms/batch_cells", values=values, landing=landing)

    def whole(columns: sql.Composable) -> sql.Composed:
        return warehouse.statement("histograms/batch", landing=landing, columns=columns)

    return _counted(warehouse, counted, (cells, cells), whole, {"batch_id": batch_id})


def of_predictions(
    warehouse: Warehouse,
    use_case: UseCase,
    frozen: Histograms,
    version: int,
    start: datetime,
    end: datetime,
    unlogged: Collection[str] = (),
) -> Histograms:
    """The histograms of what a release was asked and what it answered; what nobody was given does not count.

    Args:
        warehouse: Counts the rows.
        use_case: Whose release.
        frozen: The release's; its bins and labels are used.
        version: The release's version.
        start: First moment.
        end: The moment after the last.
        unlogged: Inputs of which the log holds nothing, or a hash.

    Returns:
        Those of every input that is logged and of `prediction`.
    """
    counted = [c for c in frozen.columns if c.name != use_case.target and c.name not in unlogged]
    given = counting.listed(_given(use_case, column) for column in counted)
    answered = warehouse.statement("histograms/answered", given=given)

    def cells(answers: sql.Composable, columns: Sequence[Column]) -> sql.Composed:
        # Side by side: where one array is shorter than another, values are missing.
        values = counting.listed(
            sql.SQL("unnest(answered.{}) AS {}").format(sql.Identifier(column.name), counting.value(column))
            for column in columns
        )
        return warehouse.statement("histograms/logged_cells", values=values, answers=answers)

    def whole(columns: sql.Composable) -> sql.Composed:
        return warehouse.statement("histograms/logged", answered=answered, columns=columns)

    ways = (partial(cells, sql.SQL("({})").format(answered)), partial(cells, sql.Identifier("answered")))
    return _counted(warehouse, counted, ways, whole, _window(use_case, version, start, end))


def of_labels(
    warehouse: Warehouse, use_case: UseCase, frozen: Histograms, version: int, start: datetime, end: datetime
) -> Numbers | Categories | None:
    """The histogram of what turned out to be true of a window's predictions; None where the release froze no target.

    Args:
        warehouse: Counts the labels.
        use_case: Whose release.
        frozen: The release's; its bins and labels are used.
        version: The release's version.
        start: First moment of the predictions.
        end: The moment after the last.
    """
    if use_case.target not in frozen.names:
        return None
    target = frozen.column(use_case.target)
    truth = "true_label" if use_case.classes else "true_number"
    cells = warehouse.statement("histograms/label_cells", truth=truth, value=counting.value(target))
    with warehouse.transaction() as connection:
        fetch(connection, warehouse.statement("histograms/alone"))
        values = _window(use_case, version, start, end)
        rows = fetch(connection, counting.columns(warehouse, [target], lambda _: cells), values)
    whole = {"place": None, "cells": sum(row["cells"] for row in rows)}
    return _read([target], [*rows, whole]).columns[0]


def _counted(
    warehouse: Warehouse,
    counted: list[Column],
    cells: tuple[Cells, Cells],
    whole: Callable[[sql.Composable], sql.Composable],
    values: Row,
) -> Histograms:
    """Count columns.

    Args:
        warehouse: Counts.
        counted: The columns.
        cells: How their values are read: some of them by themselves, and all of them within the whole statement.
        whole: Makes that statement out of the one that counts the columns.
        values: What both are about.
    """
    few = [column for column in counted if isinstance(column, Numbers) and column.discrete]
    with warehouse.transaction() as connection:
        fetch(connection, warehouse.statement("histograms/alone"))
        looked = fetch(connection, counting.variety(warehouse, few, cells[0]), values) if few else [{}]
        varied = [name for name, many in looked[0].items() if many]
        return _read(counted, fetch(connection, whole(counting.columns(warehouse, counted, cells[1], varied)), values))


def _window(use_case: UseCase, version: int, start: datetime, end: datetime) -> Row:
    return {"use_case": use_case.name, "version": version, "window_start": start, "window_end": end}


def _given(use_case: UseCase, column: Numbers | Categories) -> sql.Composed:
    """A column of an answer as an array of its instances' values."""
    name = sql.Identifier(column.name)
    if column.name == PREDICTION:
        answer = sql.Identifier("parsed", "labels" if use_case.classes else "predictions")
        return sql.SQL("{} AS {}").format(answer, name)
    # A caller may have written 1 for true.
    boolean = use_case.column(column.name).type == "boolean"
    kind = "double precision[]" if isinstance(column, Numbers) else "boolean[]::text[]" if boolean else "text[]"
    place = sql.SQL("array_position(parsed.names, {})").format(sql.Literal(column.name))
    return sql.SQL("parsed.cells[:][{place}:{place}]::{kind} AS {name}").format(
        place=place, kind=sql.SQL(kind), name=name
    )


def _read(frozen: list[Numbers | Categories], found: Iterable[Row]) -> Histograms:
    """The histograms that the warehouse's counts are."""
    rows = 0
    by_place: dict[int, list[Row]] = {place: [] for place in range(len(frozen))}
    for row in found:
        if row["place"] is None:
            rows = row["cells"]
        else:
            by_place[row["place"]].append(row)
    columns: list[Numbers | Categories] = []
    for place, column in enumerate(frozen):
        missing = rows - sum(row["cells"] for row in by_place[place])
        if isinstance(column, Numbers):
            columns.append(_counted_numbers(column, by_place[place], missing))
        else:
            counts = {row["label"]: row["cells"] for row in by_place[place]}
            labels = tuple(counts.get(label, 0) for label in column.labels)
            counted = {"counts": labels, "other": counts.get(None, 0), "missing": missing}
            columns.append(column.model_copy(update=counted))
    return Histograms(rows=rows, columns=tuple(columns))


def _counted_numbers(frozen: Numbers, found: list[Row], missing: int) -> Numbers:
    bins = len(frozen.edges) + 1
    counts, sums = [0] * bins, [0.0] * bins
    for row in found:
        counts[row["bin"]], sums[row["bin"]] = row["cells"], row["total"]
    values = sum(counts)
    mean = sum(sums) / values if values else 0.0
    spread = max(0.0, sum(row["squares"] for row in found) / values - mean**2) ** 0.5 if values else 0.0
    return Numbers(
        name=frozen.name,
        edges=frozen.edges,
        counts=tuple(counts),
        sums=tuple(sums),
        centre=frozen.centre,
        discrete=frozen.discrete,
        missing=missing,
        mean=frozen.centre + mean if values else None,
        std=spread if values else None,
        minimum=min((row["low"] for row in found), default=None),
        maximum=max((row["high"] for row in found), default=None),
    )


def _numbers(name: str, column: pd.Series[Any]) -> Numbers:
    given: Vector = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values: Vector = np.sort(np.clip(given[~np.isnan(given)], -_LARGEST, _LARGEST))
    different = np.unique(values)
    edges = _edges(values, different)
    centre = float(values[len(values) // 2]) if len(values) else 0.0
    bins = np.searchsorted(edges, values, side="right")
    constant = len(values) > 0 and values[0] == values[-1]
    return Numbers(
        name=name,
        edges=tuple(edges.tolist()),
        counts=tuple(np.bincount(bins, minlength=len(edges) + 1).tolist()),
        sums=tuple(np.bincount(bins, weights=values - centre, minlength=len(edges) + 1).tolist()),
        centre=centre,
        discrete=len(different) <= min(_FEW, len(values) // 10),
        missing=len(given) - len(values),
        mean=(centre if constant else float(values.mean())) if len(values) else None,
        # Rounding would leave a trace of a spread where there is none.
        std=(0.0 if constant else float(values.std())) if len(values) else None,
        minimum=float(values[0]) if len(values) else None,
        maximum=float(values[-1]) if len(values) else None,
    )


def _edges(values: Vector, different: Vector) -> Vector:
    """Rising edges, so that few rows are in a bin that is wide; a value that many rows have gets a bin of its own."""
    if not len(values):
        return values
    knots = different
    if len(knots) > _SHARES:
        shares = np.concatenate((np.linspace(0, 1, _SHARES + 1), _TAILS, 1 - np.asarray(_TAILS)))
        quantiles, times = np.unique(np.quantile(values, shares, method="inverted_cdf"), return_counts=True)
        spikes = np.nextafter(quantiles[times > 1], np.inf)
        knots = np.concatenate((quantiles, spikes, np.linspace(values[0], values[-1], _WIDTHS + 1)))
    # The largest value belongs to the last bin but one: the last is for what is larger than all.
    edges: Vector = np.unique(np.append(knots, np.nextafter(values[-1], np.inf)))
    return edges


def _categories(name: str, column: pd.Series[Any], boolean: bool) -> Categories:
    present = column[column.notna()]
    texts = present.map(lambda value: str(bool(value)).lower()) if boolean else present.astype(str)
    counts = texts[texts != ""].value_counts().sort_index()
    if boolean:
        counts = counts.reindex(["false", "true"], fill_value=0)
    return Categories(
        name=name,
        labels=tuple(counts.index),
        counts=tuple(counts.tolist()),
        other=0,
        missing=len(column) - int(counts.sum()),
    )
