"""A Postgres server of a benchmark's own, gone when the benchmark is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2 import sql

from local import postgres

PASSWORD = "only-for-benchmarks"  # noqa: S105 - guards nothing but an empty server on the loopback address


@contextmanager
def server(*databases: str) -> Iterator[dict[str, str]]:
    """Start a server with some empty databases, and stop and remove it afterwards.

    Args:
        databases: Their names.

    Yields:
        Name to address.
    """
    with tempfile.TemporaryDirectory(prefix="sluice-bench-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        # The server may run under a system user, which must be able to enter.
        folder.chmod(0o755)
        with postgres.throwaway(folder, PASSWORD) as port:
            _create(port, databases)
            yield {name: postgres.dsn(port, PASSWORD, name) for name in databases}


def _create(port: int, databases: tuple[str, ...]) -> None:
    with closing(psycopg2.connect(postgres.dsn(port, PASSWORD, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in databases:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
