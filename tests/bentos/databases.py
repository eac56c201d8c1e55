"""A database server that can be stopped in every way, and started again with what it kept."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psycopg2

from local import postgres
from local.ports import free_port
from tests.bentos.servers import eventually

PASSWORD = "only-for-tests"
#: As pg_ctl names them: cut everybody off and write everything down; or die on the spot.
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass
class Database:
    """A Postgres server with its data in a folder, and an empty database named `warehouse`."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self._cluster = postgres.locate(self.folder / "data")
        postgres.initialise(self._cluster, PASSWORD)
        self.start()
        with contextlib.closing(psycopg2.connect(self._dsn("postgres"))) as link, link.cursor() as cursor:
            link.autocommit = True
            cursor.execute("CREATE DATABASE warehouse")

    @property
    def dsn(self) -> str:
        """The address of its warehouse."""
        return self._dsn("warehouse")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self._cluster.command(self.port), stdout=log, stderr=log, cwd="/")
        eventually(self._answers, within=60)

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it, as `pg_ctl stop -m` does."""
        if self.process is None:
            return
        self.process.send_signal(SIGNALS[how])
        self.process.wait(30)
        self.process = None

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(self._dsn("postgres"), connect_timeout=5).close()
            return True
        return False

    def _dsn(self, name: str) -> str:
        return postgres.dsn(self.port, PASSWORD, name)
