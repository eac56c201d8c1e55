"""The tables of one use case: where its rows land, where bad rows stay, and the view of what counts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.columns import SQL_TYPES, Column
from sluice.domain.errors import SpecError
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

#: What Postgres calls a type that has a shorter name, too.
WRITTEN = {"timestamptz": "timestamp with time zone"}


def landing(use_case: UseCase) -> sql.Identifier:
    """The table whose partitions are the use case's batches."""
    return sql.Identifier("landing", use_case.name)


def partition(use_case: UseCase, batch_id: int) -> sql.Identifier:
    """The table of one batch."""
    return sql.Identifier("landing", partition_name(use_case, batch_id))


def partition_name(use_case: UseCase, batch_id: int) -> str:
    """A name that no use case's own table can have, because of the `$`."""
    return f"{use_case.name}${batch_id}"


def quarantine(use_case: UseCase) -> sql.Identifier:
    """The table of rows that break a rule."""
    return sql.Identifier("quarantine", use_case.name)


def validated(use_case: UseCase) -> sql.Identifier:
    """The view of the rows that count."""
    return sql.Identifier("validated", use_case.name)


def ensure(warehouse: Warehouse, use_case: UseCase) -> None:
    """Make a use case's tables and view what its spec says; nothing changes when they are.

    A row's `_identity` in the view is the MD5, in hex, of a JSON array of strings: the use case's name and
    the identity columns' values, floats by their shortest text, instants as seconds since 1970. Its `_part`
    follows from the first 32 bits of the identity as a share of their range.

    Args:
        warehouse: Holds the platform's tables already.
        use_case: Columns that are new in it are added, those it no longer has stay in the tables.

    Raises:
        SpecError: A column's type is no longer that of the table.
    """
    with warehouse.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"landing.{use_case.name}",))
        cursor.execute(warehouse.statement("ingestion/landing_table", landing=landing(use_case)))
        cursor.execute(warehouse.statement("ingestion/quarantine_table", quarantine=quarantine(use_case)))
        _adapt(warehouse, connection, use_case)
        _replace_view(warehouse, connection, use_case)


def _adapt(warehouse: Warehouse, connection: Connection, use_case: UseCase) -> None:
    """Add the columns that are new in the spec; refuse a changed type."""
    rows = fetch(connection, warehouse.statement("ingestion/landing_columns"), {"use_case": use_case.name})
    types = {row["column_name"]: row["data_type"] for row in rows}
    for column in use_case.columns:
        wanted = SQL_TYPES[column.type]
        found = types.get(column.name)
        if found == WRITTEN.get(wanted, wanted):
            continue
        if found is not None:
            raise SpecError(
                f"the column {column.name!r} is a {column.type} ({wanted}), but rows of it have landed as {found}",
                f"landing.{use_case.name}",
                f"give the column a new `name` and `header: {column.source_header}`, or the type it had",
            )
        name, kind = sql.Identifier(column.name), sql.SQL(wanted)
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(landing(use_case), name, kind))


def _replace_view(warehouse: Warehouse, connection: Connection, use_case: UseCase) -> None:
    """Make the view anew where its text has changed; the comment on it tells."""
    view = validated(use_case)
    split = use_case.training.split
    statement = warehouse.statement(
        "ingestion/validated_view",
        view=view,
        landing=landing(use_case),
        use_case=sql.Literal(use_case.name),
        columns=sql.SQL(",\n    ").join(sql.Identifier(c.name) for c in use_case.columns),
        identity=sql.SQL(", ").join(
            [sql.Literal(use_case.name), *(canonical(use_case.column(name)) for name in use_case.identity)]
        ),
        test=sql.Literal(split.test),
        calibration=sql.Literal(split.calibration),
        newest=sql.SQL("1" if use_case.source.mode == "replace" else "ALL"),
    )
    digest = hashlib.sha256(statement.as_string(connection).encode()).hexdigest()
    name = view.as_string(connection)
    there = fetch(connection, warehouse.statement("ingestion/view_comment"), {"view": name})[0]["spec"]
    if there == digest:
        return
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(view))
        cursor.execute(statement)
        cursor.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(view, sql.Literal(digest)))


def canonical(column: Column) -> sql.Composable:
    """The one text that a landed value is identified by, whatever the session's settings for dates."""
    name = sql.Identifier("landed", column.name)
    if column.type == "number":
        return sql.SQL("({} + 0)::text").format(name)  # adding 0 makes one of -0 and 0
    if column.type == "timestamp":
        return sql.SQL("extract(EPOCH FROM {})::text").format(name)
    return sql.SQL("{}::text").format(name)
