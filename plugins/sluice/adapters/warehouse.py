"""The warehouse: connections, statements from files, rows in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import extras, sql

from sluice.domain.errors import TransientError

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg2.extensions import connection as Connection


@dataclass(frozen=True)
class Warehouse:
    """A Postgres database and the folder of statements that run on it.

    Attributes:
        dsn: `postgresql://user:password@host:port/database`.
        statements: Folder of `<room>/<statement>.sql` files.
    """

    dsn: str
    statements: Path

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose work is kept when the block ends well and undone when it does not.

        Raises:
            TransientError: The database does not answer.
        """
        try:
            connection = psycopg2.connect(self.dsn, connect_timeout=10, application_name="sluice")
        except psycopg2.OperationalError as error:
            where = place(self.dsn)
            raise TransientError(f"the warehouse does not answer: {error}".strip(), where, "start it") from error
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def statement(self, name: str, **identifiers: str | tuple[str, ...] | sql.Composable) -> sql.Composed:
        """A statement from its file, with identifiers composed in.

        Args:
            name: `<room>/<statement>`, without `.sql`.
            **identifiers: For each `{placeholder}`: a name, a tuple of schema and name, or composed SQL.
        """
        text = (self.statements / f"{name}.sql").read_text(encoding="utf-8")
        parts = {key: compose(value) for key, value in identifiers.items()}
        return sql.SQL(text).format(**parts)

    def rows(self, statement: sql.Composable | str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement in a transaction of its own and return its rows by column name."""
        with self.transaction() as connection:
            return fetch(connection, statement, values)

    def execute(self, statement: sql.Composable | str, values: Mapping[str, Any] | None = None) -> int:
        """Run one statement in a transaction of its own and return how many rows it touched."""
        with self.transaction() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.rowcount

    def arrow(self, statement: sql.Composable | str) -> pa.Table:
        """Read a query's rows as an Arrow table, without a Python object per value."""
        # Local: the DAG processor reads this module without ever reading rows.
        from adbc_driver_postgresql import dbapi

        with self.transaction() as connection:
            text = statement if isinstance(statement, str) else statement.as_string(connection)
        # The cursor closes before its connection; the other order crashes the driver.
        with dbapi.connect(self.dsn) as reader, reader.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetch_arrow_table()


def fetch(
    connection: Connection, statement: sql.Composable | str, values: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Run one statement on an open connection and return its rows by column name."""
    with connection.cursor(cursor_factory=extras.RealDictCursor) as cursor:
        cursor.execute(statement, values)
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def compose(value: str | tuple[str, ...] | sql.Composable) -> sql.Composable:
    """An identifier, a qualified identifier, or SQL that is composed already."""
    if isinstance(value, sql.Composable):
        return value
    return sql.Identifier(value) if isinstance(value, str) else sql.Identifier(*value)


def place(dsn: str) -> str:
    """A DSN without its password, for messages."""
    parts = psycopg2.extensions.parse_dsn(dsn)
    return f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}/{parts.get('dbname', '')}"
