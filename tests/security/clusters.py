"""A database server as the stack in containers sets it up: its roles made by psql, its tables by their owner."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from local import postgres
from sluice.adapters.migrations import grant, migrate
from sluice.adapters.warehouse import Warehouse
from tests.conftest import REPOSITORY, STATEMENTS

ROLES = REPOSITORY / "include" / "images" / "roles.sql"
#: Role and variable, as in .env.
VARIABLES = {
    "postgres": "POSTGRES_PASSWORD",
    "airflow": "SLUICE_AIRFLOW_DB_PASSWORD",
    "mlflow": "SLUICE_MLFLOW_DB_PASSWORD",
    "optuna": "SLUICE_OPTUNA_DB_PASSWORD",
    "sluice": "SLUICE_WAREHOUSE_DB_PASSWORD",
    "serving": "SLUICE_SERVING_DB_PASSWORD",
    "watcher": "SLUICE_WATCHER_DB_PASSWORD",
}
FIRST = "the-first-of-all"


@dataclass
class Cluster:
    """A running server.

    Attributes:
        folder: Holds its log.
        port: Where it listens.
        values: What .env says.
    """

    folder: Path
    port: int
    values: dict[str, str]

    def __post_init__(self) -> None:
        """Name its superuser as the image of Postgres does."""
        # Who made the server is named like the warehouse's owner, and cannot be renamed by himself.
        with closing(psycopg2.connect(postgres.dsn(self.port, FIRST, "postgres"))) as link, link.cursor() as cursor:
            link.autocommit = True
            cursor.execute("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD %s", (self.values["POSTGRES_PASSWORD"],))
        with closing(psycopg2.connect(self.dsn("postgres", "postgres"))) as link, link.cursor() as cursor:
            link.autocommit = True
            cursor.execute("ALTER ROLE sluice RENAME TO made_the_server")

    def dsn(self, role: str, database: str = "warehouse") -> str:
        """The address of a database, for a role."""
        return f"postgresql://{role}:{self.values[VARIABLES[role]]}@127.0.0.1:{self.port}/{database}"

    def lay(self, password: str | None = None, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run the file of the roles, as `database-init` does.

        Args:
            password: Opens the server meanwhile; that of .env if absent.
            **changed: Variables that have another value from now on.
        """
        password = password or self.values["POSTGRES_PASSWORD"]
        self.values |= changed
        where = {"PGPASSWORD": password, "PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        psql = postgres.locate(self.folder / "data").binaries / "psql"
        return subprocess.run(
            [psql, "--no-psqlrc", "-U", "postgres", "-d", "postgres", "-f", ROLES],
            env={"PATH": os.environ["PATH"], **where, **self.values},
            capture_output=True,
            text=True,
            check=False,
        )

    def migrate(self) -> list[str]:
        """Make the tables and give the roles their rights, as `airflow-init` does; the roles that got some."""
        migrate(self.dsn("sluice"), STATEMENTS / "migrations")
        return grant(self.dsn("sluice"), STATEMENTS / "grants")

    def warehouse(self, role: str) -> Warehouse:
        """The warehouse, as a role sees it."""
        return Warehouse(self.dsn(role), STATEMENTS)

    @property
    def log(self) -> str:
        """What the server wrote down."""
        return (self.folder / "server.log").read_text()
