"""Quarantine: the rows that break a rule of the spec, kept with the reasons."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse
from sluice.domain.columns import Column
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, tables


@dataclass(frozen=True)
class Quarantined:
    """A batch's rows in quarantine.

    Attributes:
        count: How many rows.
        by_reason: How many of them for each reason code, most first; a row may have several.
        share: Of all rows that the source file held.
    """

    count: int
    by_reason: dict[str, int]
    share: float


def sweep(warehouse: Warehouse, use_case: UseCase, batch_id: int) -> Quarantined:
    """Move a batch's bad rows to quarantine; a second sweep finds none.

    The codes are `missing:<column>`, `not_finite:<column>`, `range:<column>` and `category:<column>`;
    landing adds `unreadable:<column>` and `malformed`.

    Returns:
        All of the batch's rows in quarantine, those that landing put there included.

    Raises:
        StateError: There is no such batch.
    """
    found = rules(use_case.columns)
    quarantine = tables.quarantine(use_case)
    reasons = [sql.SQL("CASE WHEN {} THEN {} END").format(broken, sql.Literal(code)) for code, broken in found]
    statement = warehouse.statement(
        "ingestion/sweep",
        partition=tables.partition(use_case, batch_id),
        quarantine=quarantine,
        broken=sql.SQL("\n    OR ").join(broken for _, broken in found),
        reasons=sql.SQL(",\n        ").join(reasons),
    )
    warehouse.execute(statement)
    return tally(warehouse, use_case, batch_id)


def tally(warehouse: Warehouse, use_case: UseCase, batch_id: int) -> Quarantined:
    """Count a batch's rows in quarantine, those that landing put there included.

    Raises:
        StateError: There is no such batch.
    """
    batch = batches.get(warehouse, use_case, batch_id)
    quarantine, wanted = tables.quarantine(use_case), {"batch_id": batch_id}
    count = warehouse.rows(warehouse.statement("ingestion/quarantine_count", quarantine=quarantine), wanted)
    reasons = warehouse.rows(warehouse.statement("ingestion/quarantine_reasons", quarantine=quarantine), wanted)
    rows: int = count[0]["quarantined"]
    return Quarantined(rows, {row["reason"]: row["quarantined"] for row in reasons}, rows / batch.rows)


def restore(warehouse: Warehouse, use_case: UseCase, batch_id: int) -> int:
    """Put a batch's swept rows back, to be judged by changed rules; how many came back.

    Rows that landing could not read stay in quarantine.
    """
    partition, quarantine = tables.partition(use_case, batch_id), tables.quarantine(use_case)
    statement = warehouse.statement("ingestion/restore", partition=partition, quarantine=quarantine)
    return warehouse.execute(statement, {"batch_id": batch_id})


def rules(columns: tuple[Column, ...]) -> list[tuple[str, sql.Composable]]:
    """What breaks a row, as a reason code and a condition that is true of broken rows only."""
    found: list[tuple[str, sql.Composable]] = [("never", sql.SQL("false"))]
    for column in columns:
        name = sql.Identifier(column.name)
        if not column.nullable:
            found.append((f"missing:{column.name}", sql.SQL("{} IS NULL").format(name)))
        infinite = _infinite(column)
        if infinite is not None:
            found.append((f"not_finite:{column.name}", infinite))
        if column.range:
            low, high = map(sql.Literal, column.range)
            outside = sql.SQL("{} NOT BETWEEN {} AND {}").format(name, low, high)
            if infinite is not None:
                outside = sql.SQL("({} AND NOT {})").format(outside, infinite)
            found.append((f"range:{column.name}", outside))
        if column.categories:
            known = sql.Literal(list(column.categories))
            found.append((f"category:{column.name}", sql.SQL("{} <> ALL({})").format(name, known)))
    return found


def _infinite(column: Column) -> sql.Composable | None:
    """A condition on values that are no finite number or instant; None where the type has none."""
    name = sql.Identifier(column.name)
    if column.type == "number":
        return sql.SQL("{} IN ('NaN', 'Infinity', '-Infinity')").format(name)
    if column.type == "timestamp":
        return sql.SQL("{} IN ('infinity', '-infinity')").format(name)
    return None
