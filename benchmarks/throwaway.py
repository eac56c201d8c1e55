"""A Postgres server of a benchmark's own, gone when the benchmark is."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
import time
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
        cluster = postgres.locate(folder / "data")
        postgres.initialise(cluster, PASSWORD)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(cluster.command(port), stdout=log, stderr=log, cwd="/")  # noqa: S603 - our own
        try:
            _create(port, databases)
            yield {name: postgres.dsn(port, PASSWORD, name) for name in databases}
        finally:
            # Fast shutdown: what is still connected is cut off.
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _create(port: int, databases: tuple[str, ...]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = psycopg2.connect(postgres.dsn(port, PASSWORD, "postgres"))
            break
        except psycopg2.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    with closing(connection):
        connection.autocommit = True
        with connection.cursor() as cursor:
            for name in databases:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
