"""Backup of a stack, whether it works or not: its databases as they are at one moment, and its files.

`python -m local.backup --to FOLDER`. No secret is in it in clear: no password, no API key, no Fernet key.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psycopg2
from rich.console import Console

from local import dumps, manifest
from local.commands import Command
from local.copies import File, Tree, digest
from local.dumps import STATEMENTS, View
from local.errors import StackError
from local.following import Show
from local.manifest import DATABASES, FILES, OWN, Database, Manifest
from local.places import STORE, Folder, Places, of_environment, of_stack
from local.stack import Stack
from local.state import REPOSITORY, state
from local.summary import Part, Screen, carried, size
from sluice.adapters.warehouse import Warehouse, fetch

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

#: How long a running removal, or a deployment, is waited for.
PATIENCE = "10min"
#: Names what serves: it is written again and again, and every other file once.
POINTER = "releases/{use_case}/champion.json"
POINTERS = re.compile(r"releases/[^/]+/champion\.json")
#: Where a database keeps which migrations it has: the table's beginning, and the column.
VERSIONED = {"alembic_version": "version_num", OWN: "migration_id"}


def take(places: Places, target: Path, show: Show) -> tuple[Manifest, list[Part]]:
    """Back up a stack.

    All databases are seen as they are at one moment, at which nothing is being deployed; who refers to others is seen
    first. The files are copied after that moment, and until then nobody removes any: what a database names is there.
    A file may be newer than the moment; then nothing in the databases names it.

    Args:
        places: Where the databases and the files are.
        target: The folder that will hold the backup; there is none yet, and an attempt that fails leaves none.
        show: Takes what there is to see.

    Returns:
        What is in the backup, and how long each part of it took.

    Raises:
        StackError: Something cannot be read or written, or is in the way.
    """
    if target.exists():
        raise StackError("there is something of that name", str(target), "name another folder, or remove it")
    draft = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(draft, ignore_errors=True)
        (draft / DATABASES).mkdir(parents=True)
        # It holds what people have asked, and who they are.
        draft.chmod(0o700)
        made, parts = _filled(places, draft, show)
        made.write(draft)
        with show.working("reading it again") as update:
            manifest.verify(draft, lambda done, total: update(f"reading it again: {size(done)} of {size(total)}"))
        draft.rename(target)
    except OSError as error:
        action = "make room, or name another folder with OUT"
        raise StackError(f"the backup cannot be written: {error.strerror}", str(error.filename), action) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return made, parts


def _filled(places: Places, draft: Path, show: Show) -> tuple[Manifest, list[Part]]:
    parts: list[Part] = []
    files: list[File] = []
    gone: list[str] = []
    with show.working("waiting until nothing is being removed") as update, _no_removals(places):
        with _moment(places) as (views, pointers):
            airflow, warehouse = views["airflow"].connection, views["warehouse"]
            [moment] = fetch(warehouse.connection, "SELECT now() AS taken_at")
            encrypted = _encrypted(airflow)
            databases = {}
            for name, seen in views.items():
                update(f"dumping {name}")
                path = f"{DATABASES}/{name}.dump"
                databases[name], part = _dumped(name, seen, draft / path)
                parts.append(part)
                files.append(File(path, part.bytes, digest(draft / path)))
        for folder in places.folders:
            copied, lost, part = _copied(folder, draft / FILES / folder.name, pointers, update)
            files += [File(f"{FILES}/{file.path}", file.bytes, file.sha256) for file in copied]
            gone += lost
            parts.append(part)
    made = Manifest(
        taken_at=moment["taken_at"],
        server=warehouse.server,
        programs=dumps.programs(warehouse.server).major,
        packages=manifest.installed(),
        databases=databases,
        files=tuple(files),
        gone=tuple(gone),
        fingerprints=places.fingerprints,
        encrypted=encrypted,
    )
    return made, parts


@contextmanager
def _no_removals(places: Places) -> Iterator[None]:
    """Nobody removes old releases, snapshots or reports meanwhile; they wait."""
    warehouse = Warehouse(places.databases["warehouse"], STATEMENTS)
    with warehouse.transaction() as connection:
        _wait(connection, "removals/hold", "old releases or reports are being removed", warehouse)
        yield


@contextmanager
def _moment(places: Places) -> Iterator[tuple[dict[str, View], dict[str, bytes]]]:
    """All databases as they are while nothing is being deployed, and the files that say what serves then."""
    warehouse = Warehouse(places.databases["warehouse"], STATEMENTS)
    store = Tree(places.folder(STORE))
    with ExitStack() as views:
        with warehouse.transaction() as connection:
            [known] = fetch(connection, "SELECT to_regclass('ml.releases') IS NOT NULL AS has_releases")
            held = (
                _wait(connection, "backup/hold_deployments", "a release is being deployed", warehouse)
                if known["has_releases"]
                else []
            )
            seen = {name: views.enter_context(dumps.view(dsn)) for name, dsn in places.databases.items()}
            keys = [POINTER.format(use_case=row["use_case"]) for row in held]
            pointers = {key: b"".join(store.read(key)) for key in keys if store.has(key)}
        yield seen, pointers


def _wait(connection: Connection, statement: str, what: str, warehouse: Warehouse) -> list[dict[str, str]]:
    fetch(connection, "SELECT set_config('lock_timeout', %(patience)s, TRUE)", {"patience": PATIENCE})
    try:
        return fetch(connection, warehouse.statement(statement))
    except psycopg2.errors.LockNotAvailable as error:
        action = "look at its run in Airflow, then try again"
        raise StackError(f"{what}, since more than {PATIENCE}", action=action) from error


def _dumped(name: str, seen: View, target: Path) -> tuple[Database, Part]:
    begun = time.monotonic()
    rows = seen.rows()
    revisions = {
        table: tuple(seen.column((schema, table), column))
        for schema, table in rows
        for beginning, column in VERSIONED.items()
        if table.startswith(beginning)
    }
    dumps.dump(dumps.programs(seen.server), seen, target)
    holds = f"{sum(rows.values())} rows in {len(rows)} tables"
    return Database(rows, revisions), Part(name, holds, target.stat().st_size, time.monotonic() - begun)


def _copied(
    folder: Folder, into: Path, pointers: Mapping[str, bytes], update: Callable[[str], None]
) -> tuple[list[File], list[str], Part]:
    """Copy a folder's files; return their copies, and the keys of those that vanished meanwhile."""
    begun = time.monotonic()
    tree = Tree(folder)
    given = pointers if folder.name == STORE else {}
    # One that is not known was written after the moment, for a use case that served nothing then.
    keys = {key for key in tree.listed() if folder.name != STORE or not POINTERS.fullmatch(key)} | set(given)
    copied: list[File] = []
    gone: list[str] = []
    for key, file in tree.copy(sorted(keys), into, given):
        if file is None:
            gone.append(f"{folder.name}/{key}")
            continue
        copied.append(file)
        update(f"copying {folder.name}: {len(copied)} of {len(keys)} files")
    total = sum(file.bytes for file in copied)
    return copied, gone, Part(folder.name, f"{len(copied)} files", total, time.monotonic() - begun)


def _encrypted(airflow: Connection) -> int:
    [known] = fetch(airflow, "SELECT to_regclass('public.variable') IS NOT NULL AS has_variables")
    if not known["has_variables"]:
        return 0
    [found] = fetch(airflow, Warehouse("", STATEMENTS).statement("backup/encrypted"))
    return int(found["number"])


def tell(console: Console, target: Path, made: Manifest, parts: list[Part]) -> None:
    """Say what is in a backup, and what is not."""
    carried(console, parts)
    console.print(f"the backup of {made.taken_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC is in {target}", soft_wrap=True)
    console.print("it was read again, and is whole; it holds what people asked: keep it where only you can read it")
    console.print("not in it: passwords and keys in clear, images of containers, Airflow's logs, mails")
    if made.encrypted:
        console.print(
            f"[yellow]{made.encrypted} connections and variables of Airflow are in it encrypted, and their Fernet key "
            "is not: keep a copy of .env, or of credentials.json of the state folder, elsewhere[/yellow]",
            soft_wrap=True,
        )
    if made.gone:
        said = f"{len(made.gone)} files vanished while they were copied: {', '.join(made.gone[:3])}"
        console.print(f"[yellow]{said}[/yellow]", soft_wrap=True)


@click.command(cls=Command, help=__doc__)
@click.option("--of", type=click.Choice(["stack", "environment"]), default="stack", help="Says where everything is.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="A folder that is not there yet.")
def main(of: str, folder: Path | None) -> None:
    """Back up the stack."""
    console = Console(highlight=False)
    root = Path(os.environ.get("SLUICE_BACKUPS") or REPOSITORY / "backups")
    target = (folder or root / f"sluice-{datetime.now(UTC):%Y%m%dT%H%M%SZ}").absolute()
    if of == "environment":
        made, parts = take(of_environment(os.environ), target, Screen(console))
    else:
        here = state()
        with Stack(here).databases() as addresses:
            made, parts = take(of_stack(here, addresses), target, Screen(console))
    tell(console, target, made, parts)


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m local.backup"))
