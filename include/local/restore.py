"""Restore from a backup, into an empty stack that is stopped, or with --force into one that is not empty.

`python -m local.restore FOLDER`. Until everything is in place nothing of it is seen; what fails leaves the stack as it
was.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import click
from rich.console import Console

from local import dumps, manifest
from local.commands import Command
from local.copies import File, Tree
from local.dumps import STATEMENTS, Filling
from local.errors import StackError
from local.following import Show
from local.manifest import DATABASES, Manifest
from local.places import Folder, Places, of_environment, of_stack
from local.stack import Stack
from local.state import state
from local.summary import Part, Screen, carried, size
from local.tables import forget
from sluice.adapters.warehouse import Warehouse, place

AS_IT_WAS = "the stack is as it was"


@dataclass(frozen=True)
class Shelf:
    """A folder's files: those of the backup, and those that are there.

    Attributes:
        missing: Keys that only the backup has.
        other: Keys of files that are not those of the backup.
        foreign: Keys that the backup does not have.
    """

    tree: Tree
    files: Mapping[str, File]
    missing: tuple[str, ...]
    other: tuple[str, ...]
    foreign: tuple[str, ...]

    def send(self, backup: Path, keys: tuple[str, ...], sent: Callable[[str], None]) -> None:
        """Put files of the backup where they belong."""
        for key in keys:
            self.tree.write(key, backup / self.files[key].path, self.files[key].sha256)
            sent(key)


def restore(backup: Path, places: Places, force: bool, show: Show) -> tuple[Manifest, list[Part]]:
    """Bring a stack to what a backup holds.

    New files are written first, where nothing names them yet; the databases are filled in a transaction each and
    counted, and only when all are full are all committed; files that are there with another content come last.

    Args:
        backup: Its folder.
        places: Where the databases and the files belong.
        force: Whether what is there may be replaced.
        show: Takes what there is to see.

    Returns:
        What was brought back, and how long each part of it took.

    Raises:
        StackError: The backup is damaged, incomplete or too new, somebody uses the stack, it is not empty, or
            something cannot be written. The message says what the stack is like then.
    """
    with show.working("reading the backup") as update:
        held = manifest.verify(backup, lambda done, total: update(f"reading the backup: {size(done)} of {size(total)}"))
    servers = _unused(places)
    manifest.refuse_newer(held, servers.values())
    programs = dumps.programs(max(held.programs, *servers.values()))
    with show.working("looking at what is there"):
        shelves = [_shelf(folder, held.of(folder.name)) for folder in places.folders]
        if not force:
            _refuse_occupied(places, shelves)
    parts: list[Part] = []
    with show.working("writing files") as update, _undone(shelves) as written:
        parts += [_sent(shelf, backup, written, update) for shelf in shelves]
        with dumps.filling(programs, places.databases) as fillings:
            for name, filling in fillings.items():
                update(f"filling {name}")
                parts.append(_full(name, filling, held, backup))
            update("committing")
            _commit(fillings)
    # From here on the databases are those of the backup; what follows is safe to repeat.
    with show.working("replacing files") as update:
        _replace(shelves, backup)
        for name, dsn in places.databases.items():
            update(f"looking at {name}'s values, for the planner")
            _analyse(dsn)
    return held, parts


def _unused(places: Places) -> dict[str, int]:
    """The major versions of the servers; refuses databases that somebody is connected to."""
    servers = {}
    for name, dsn in places.databases.items():
        if users := dumps.others(dsn):
            raise StackError(
                f"the database is in use by {', '.join(users)}; {AS_IT_WAS}",
                place(dsn),
                "stop everything that uses the databases, and leave only them running",
            )
        with Warehouse(dsn, STATEMENTS).transaction() as connection:
            servers[name] = connection.server_version // 10_000
    return servers


def _shelf(folder: Folder, files: Mapping[str, File]) -> Shelf:
    tree = Tree(folder)
    there = set(tree.listed())
    return Shelf(
        tree,
        files,
        missing=tuple(sorted(files.keys() - there)),
        other=tuple(key for key in sorted(files.keys() & there) if tree.sha256(key) != files[key].sha256),
        foreign=tuple(sorted(there - files.keys())),
    )


def _refuse_occupied(places: Places, shelves: list[Shelf]) -> None:
    """Refuse a stack that has anything of its own; files that are those of the backup are none."""
    found = []
    for name, dsn in places.databases.items():
        with Warehouse(dsn, STATEMENTS).transaction() as connection:
            if tables := dumps.tables(connection):
                found.append(f"the database {name} with {len(tables)} tables")
    numbers = {shelf.tree.folder.root: len(shelf.other + shelf.foreign) for shelf in shelves}
    found += [f"{number} files in {root}" for root, number in numbers.items() if number]
    if found:
        raise StackError(
            f"the stack is not empty: there are {', '.join(found)}; {AS_IT_WAS}",
            action="name an empty one, or replace what it holds with FORCE=1; back it up first",
        )


@contextmanager
def _undone(shelves: list[Shelf]) -> Iterator[dict[str, list[str]]]:
    """Takes the keys that are written; when the block fails, the files are removed again."""
    written: dict[str, list[str]] = {shelf.tree.folder.name: [] for shelf in shelves}
    try:
        yield written
    except _HalfError:
        raise
    except BaseException as error:
        for shelf in shelves:
            shelf.tree.remove(written[shelf.tree.folder.name])
        if isinstance(error, StackError):
            raise StackError(f"{error.what}; {AS_IT_WAS}", error.where, error.action) from error
        if isinstance(error, OSError):
            action = "make room, or check its rights"
            raise StackError(
                f"a file cannot be written: {error.strerror}; {AS_IT_WAS}", str(error.filename), action
            ) from error
        raise


def _sent(shelf: Shelf, backup: Path, written: dict[str, list[str]], update: Callable[[str], None]) -> Part:
    begun = time.monotonic()
    name = shelf.tree.folder.name

    def sent(key: str) -> None:
        written[name].append(key)
        update(f"writing {name}: {len(written[name])} of {len(shelf.missing)} files")

    shelf.send(backup, shelf.missing, sent)
    there = len(shelf.files) - len(shelf.missing) - len(shelf.other)
    numbers = {"there already": there, "replaced": len(shelf.other), "others beside them": len(shelf.foreign)}
    notes = [f"{len(shelf.files)} files", *(f"{number} {what}" for what, number in numbers.items() if number)]
    total = sum(file.bytes for file in shelf.files.values())
    return Part(name, ", ".join(notes), total, time.monotonic() - begun)


def _full(name: str, filling: Filling, held: Manifest, backup: Path) -> Part:
    begun = time.monotonic()
    expected = held.databases[name].rows
    source = backup / DATABASES / f"{name}.dump"
    counted = filling.fill(source, tuple(expected))
    for (schema, table), rows in expected.items():
        if counted[schema, table] != rows:
            raise StackError(
                f"{schema}.{table} has {counted[schema, table]} rows instead of {rows}",
                place(filling.dsn),
                "restore from another backup",
            )
    holds = f"{sum(expected.values())} rows in {len(expected)} tables, counted"
    return Part(name, holds, source.stat().st_size, time.monotonic() - begun)


class _HalfError(StackError):
    """Some databases are restored, and some are not."""


def _commit(fillings: Mapping[str, Filling]) -> None:
    done: list[str] = []
    for name, filling in fillings.items():
        try:
            filling.commit()
        except StackError as error:
            if not done:
                raise
            left = ", ".join(other for other in fillings if other not in done)
            raise _HalfError(
                f"{', '.join(done)} are restored, and {left} are as they were: {error.what}",
                error.where,
                "do not start the stack; restore again from the same backup, with FORCE=1",
            ) from error
        done.append(name)


def _replace(shelves: list[Shelf], backup: Path) -> None:
    for shelf in shelves:
        try:
            shelf.send(backup, shelf.other, lambda _: None)
        except (OSError, StackError) as error:
            raise StackError(
                f"the databases are restored, and not all files of {shelf.tree.folder.name}: {error}",
                shelf.tree.folder.root,
                "mend that, and restore again from the same backup, with FORCE=1",
            ) from error


def _analyse(dsn: str) -> None:
    with Warehouse(dsn, STATEMENTS).transaction() as connection, connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def tell(console: Console, held: Manifest, parts: list[Part], places: Places) -> None:
    """Say what was brought back, and what is still to be done."""
    carried(console, parts)
    console.print(f"the stack is as it was on {held.taken_at.astimezone(UTC):%Y-%m-%d at %H:%M:%S} UTC")
    if held.encrypted and not set(held.fingerprints) & set(places.fingerprints):
        console.print(
            f"[yellow]{held.encrypted} connections and variables of Airflow were encrypted with another Fernet key "
            "than the one here: put that in its place (SLUICE_FERNET_KEY in .env, fernet_key in credentials.json of "
            "the state folder), or enter them anew[/yellow]",
            soft_wrap=True,
        )


@click.command(cls=Command, help=__doc__)
@click.argument("backup", type=click.Path(path_type=Path))
@click.option("--of", type=click.Choice(["stack", "environment"]), default="stack", help="Says where everything is.")
@click.option("--force", is_flag=True, help="Replace what is there.")
def main(backup: Path, of: str, force: bool) -> None:
    """Restore the stack."""
    console = Console(highlight=False)
    if of == "environment":
        places = of_environment(os.environ)
        tell(console, *restore(backup, places, force, Screen(console)), places)
        console.print("start the stack: it brings the tables up to date, and lays the rights of the roles anew")
        return
    # Before a database is made for it.
    manifest.read(backup)
    here = state()
    with Stack(here).databases(alone=True) as addresses:
        # What brings them up to date must look again.
        forget(here)
        places = of_stack(here, addresses)
        tell(console, *restore(backup, places, force, Screen(console)), places)
    console.print("make up starts it")


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m local.restore"))
