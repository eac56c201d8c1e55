"""Tables: brings what the databases hold up to what is installed, each by its owner's own migrations.

`python -m local.tables` does so in containers, one after another; doing it again changes nothing.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import click
import psycopg2

from local import environment
from local.addresses import Addresses
from local.commands import Command
from local.errors import StackError
from local.places import DATABASES, plain
from local.state import REPOSITORY, State
from sluice.adapters.migrations import grant, migrate

STATEMENTS = REPOSITORY / "include" / "sql"
#: MLflow's command takes the address as an argument, and everybody on the machine may read a command line.
MLFLOW = "import os; from mlflow.db import commands; commands(['upgrade', os.environ['MLFLOW_BACKEND_STORE_URI']])"
STAMPS = ("airflow-tables.txt", "mlflow-tables.txt")
"""Which lock the tables were brought up to last, in the state folder: asking their owners takes seconds."""


def airflow(here: State, addresses: Addresses) -> str:
    """Bring Airflow's tables up to date, where the lock is another one than the last time.

    Raises:
        StackError: Airflow cannot do it.
    """
    variables = environment.airflow(here, addresses) | {"PYTHONPATH": str(REPOSITORY / "plugins")}
    return _once(here, STAMPS[0], lambda log: _migrate_airflow(_environment(here) | variables, here.workplace, log))


def mlflow(here: State, addresses: Addresses) -> str:
    """Bring MLflow's tables up to date, where the lock is another one than the last time.

    Raises:
        StackError: MLflow cannot do it.
    """
    dsn = addresses.database("mlflow")
    variables = _environment(here) | {"MLFLOW_BACKEND_STORE_URI": dsn}
    return _once(here, STAMPS[1], lambda log: _migrate_mlflow(dsn, variables, here.workplace, log))


def warehouse(addresses: Addresses) -> str:
    """Bring the warehouse's platform tables up to date.

    Raises:
        StateError: A migration fails.
    """
    return _migrate_warehouse(addresses.database("warehouse"))


def forget(here: State) -> None:
    """Have the next start ask again: the databases are others now."""
    for name in STAMPS:
        (here.root / name).unlink(missing_ok=True)


def _once(here: State, stamp: str, migrate: Callable[[Path], None]) -> str:
    lock = hashlib.sha256((REPOSITORY / "requirements.txt").read_bytes()).hexdigest()
    path = here.root / stamp
    if path.exists() and path.read_text() == lock:
        return ""
    migrate(here.log / f"{path.stem}.log")
    path.write_text(lock)
    return ""


def _environment(here: State) -> dict[str, str]:
    return environment.inherited(os.environ) | environment.common(here)


def _migrate_airflow(variables: Mapping[str, str], folder: Path, log: Path) -> None:
    _run("Airflow", (sys.executable, "-m", "airflow", "db", "migrate"), variables, folder, log)


def _migrate_mlflow(dsn: str, variables: Mapping[str, str], folder: Path, log: Path) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.alembic_version') IS NULL")
        if cursor.fetchone() == (True,):
            # An empty one is filled by the server, which has loaded already what that takes seconds to load.
            return
    _run("MLflow", (sys.executable, "-c", MLFLOW), variables, folder, log)


def _migrate_warehouse(dsn: str) -> str:
    applied = migrate(dsn, STATEMENTS / "migrations")
    return f"{len(applied)} migrations" if applied else ""


def _run(owner: str, command: tuple[str, ...], variables: Mapping[str, str], folder: Path, log: Path) -> None:
    with log.open("wb") as out:
        done = subprocess.run(  # noqa: S603 - our own
            command, env=variables, cwd=folder, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing"]
        action = "read the log; the tables of the others may be newer now, and coming back needs the backup"
        raise StackError(
            f"{owner}'s tables cannot be brought up to date; its log ends with: {lines[-1]}", str(log), action
        )


@click.command(cls=Command, help=__doc__)
def main() -> None:
    """Bring all tables up to date, in order."""
    if missing := [name for name in ("airflow", "mlflow", "warehouse") if not os.environ.get(DATABASES[name])]:
        names = ", ".join(DATABASES[name] for name in missing)
        raise StackError("it is not said where the databases are", names, "run this as a service of the compose file")
    folder = Path(tempfile.mkdtemp(prefix="sluice-tables-"))
    _migrate_airflow(os.environ, folder, folder / "airflow-tables.log")
    click.echo("Airflow's tables are up to date")
    dsn = plain(os.environ[DATABASES["mlflow"]])
    _migrate_mlflow(dsn, os.environ, folder, folder / "mlflow-tables.log")
    click.echo("MLflow's tables are up to date")
    dsn = plain(os.environ[DATABASES["warehouse"]])
    applied = _migrate_warehouse(dsn)
    click.echo(f"the warehouse's tables are up to date ({applied or 'there was nothing to do'})")
    for role in grant(dsn, STATEMENTS / "grants"):
        click.echo(f"{role} has its rights")


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m local.tables"))
