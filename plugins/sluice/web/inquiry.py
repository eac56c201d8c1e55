"""Inquiry: what one page asks the warehouse, at one moment, changing nothing and keeping nobody waiting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2

from sluice.adapters.warehouse import Warehouse, fetch, place
from sluice.domain.errors import TransientError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

#: A statement that takes longer is given up: the page says so, and the database is spared.
SECONDS = 5


@dataclass(frozen=True)
class Inquiry:
    """An open read-only transaction; everything that it returns was true at the same moment."""

    warehouse: Warehouse
    connection: Connection

    def rows(self, name: str, values: Mapping[str, Any], **identifiers: str | tuple[str, ...]) -> list[dict[str, Any]]:
        """The rows of `web/<name>.sql`, by column name."""
        return fetch(self.connection, self.warehouse.statement(f"web/{name}", **identifiers), values)


@contextmanager
def inquire(warehouse: Warehouse) -> Iterator[Inquiry]:
    """Ask a warehouse.

    Raises:
        TransientError: It does not answer, not in time, or is not what this code knows.
    """
    try:
        with warehouse.transaction() as connection:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, TRUE)", (f"{SECONDS}s",))
            yield Inquiry(warehouse, connection)
    except psycopg2.Error as error:
        what = f"the warehouse did not answer a page's question: {error}".strip()
        action = "reload in a while; if it stays so, look at the platform page"
        raise TransientError(what, place(warehouse.dsn), action) from error
