"""The manifest: what a backup holds, by which it is checked before anything is restored from it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from local.copies import File, digest
from local.dumps import Table
from local.errors import StackError
from local.state import REPOSITORY

FORMAT = 1
NAME = "manifest.json"
SEAL = "manifest.json.sha256"
DATABASES = "databases"
FILES = "files"
#: Whose tables they are, and which of their own migrations they know.
PACKAGES = ("apache-airflow", "mlflow", "optuna")
OWN = "_yoyo_migration"
#: Database and table -> where the package that owns the table keeps its migrations.
REVISIONS = {
    ("airflow", "alembic_version"): "airflow/migrations/versions",
    ("airflow", "alembic_version_fab"): "airflow/providers/fab/migrations/versions",
    ("mlflow", "alembic_version"): "mlflow/store/db_migrations/versions",
    ("optuna", "alembic_version"): "optuna/storages/_rdb/alembic/versions",
}
REVISION = re.compile(r"""^revision(?:: str)?\s*=\s*["']([^"']+)["']""", re.MULTILINE)


@dataclass(frozen=True)
class Database:
    """A dump.

    Attributes:
        rows: Table -> rows.
        revisions: Table of migrations -> those that the database has, or its newest.
    """

    rows: Mapping[Table, int]
    revisions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        taken_at: The moment that the databases are of; files may be newer.
        server: Major version of the database server.
        programs: Major version of what wrote the dumps; nothing older reads them.
        packages: Name -> version of what had written the databases.
        databases: By name.
        files: Everything below the backup's folder but the manifest itself.
        gone: Keys of the files that vanished while they were copied.
        fingerprints: Of the Fernet keys, which the backup does not hold.
        encrypted: So many of Airflow's connections and variables need one of the keys.
    """

    taken_at: datetime
    server: int
    programs: int
    packages: Mapping[str, str]
    databases: Mapping[str, Database]
    files: tuple[File, ...]
    gone: tuple[str, ...]
    fingerprints: tuple[str, ...]
    encrypted: int

    def of(self, folder: str) -> dict[str, File]:
        """The files of a folder, by their keys in it."""
        prefix = f"{FILES}/{folder}/"
        return {file.path.removeprefix(prefix): file for file in self.files if file.path.startswith(prefix)}

    def write(self, backup: Path) -> None:
        """Write it, and its seal after it: what is sealed is complete."""
        document = asdict(self) | {"format": FORMAT, "taken_at": self.taken_at.isoformat()}
        document["databases"] = {
            name: {"rows": [[*table, rows] for table, rows in held.rows.items()], "revisions": held.revisions}
            for name, held in self.databases.items()
        }
        (backup / NAME).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        (backup / SEAL).write_text(f"{digest(backup / NAME)}  {NAME}\n", encoding="utf-8")


def read(backup: Path) -> Manifest:
    """The manifest of a backup.

    Raises:
        StackError: There is none, it is not sealed, or not the one that was sealed.
    """
    action = "name the folder of a whole backup"
    try:
        sealed = (backup / SEAL).read_text(encoding="utf-8").split()
        content = (backup / NAME).read_bytes()
    except OSError as error:
        missing = Path(str(error.filename)).name
        raise StackError(f"this is no whole backup: {missing}: {error.strerror}", str(backup), action) from error
    if sealed != [digest(backup / NAME), NAME]:
        raise StackError("the backup is damaged: its manifest is not the one that was sealed", str(backup), action)
    document = json.loads(content)
    if document.pop("format") != FORMAT:
        action = "restore it with the version of Sluice that wrote it, or a newer one"
        raise StackError("the backup is of a format that is not known here", str(backup), action)
    return _parsed(document)


def verify(backup: Path, looked: Callable[[int, int], None]) -> Manifest:
    """Read all of a backup, and return its manifest.

    Args:
        backup: Its folder.
        looked: Takes after each file how many bytes were read, and how many there are in all.

    Raises:
        StackError: Something is missing, or is not what the manifest says.
    """
    manifest = read(backup)
    total, done = sum(file.bytes for file in manifest.files), 0
    spoilt = []
    for file in manifest.files:
        path = backup / file.path
        if not path.is_file():
            spoilt.append(f"{file.path} is missing")
        elif path.stat().st_size != file.bytes or digest(path) != file.sha256:
            spoilt.append(f"{file.path} was changed")
        done += file.bytes
        looked(done, total)
    if spoilt:
        more = f" and {len(spoilt) - 3} more" if len(spoilt) > 3 else ""
        raise StackError(
            f"the backup is damaged: {', '.join(spoilt[:3])}{more}",
            str(backup),
            "nothing was touched; restore from another one",
        )
    return manifest


def refuse_newer(manifest: Manifest, servers: Iterable[int]) -> None:
    """Refuse databases that what is installed here cannot read.

    Args:
        manifest: Of the backup.
        servers: Major versions of the servers that would hold the databases.

    Raises:
        StackError: A database has migrations that are not known here, or its server was newer.
    """
    if (oldest := min(servers)) < manifest.server:
        raise StackError(
            f"the backup is of PostgreSQL {manifest.server}, and the server here is {oldest}",
            action=f"nothing was touched; restore into PostgreSQL {manifest.server} or newer",
        )
    for name, database in manifest.databases.items():
        for table, revisions in database.revisions.items():
            if unknown := sorted(set(revisions) - known(name, table)):
                written = ", ".join(f"{package} {version}" for package, version in manifest.packages.items())
                raise StackError(
                    f"the backup's {name} database is newer than what is installed here, which does not know its "
                    f"{'migrations' if table == OWN else 'revision'} {', '.join(unknown)}",
                    f"written by {written}",
                    "nothing was touched; install that version, restore, and upgrade from there",
                )


def known(database: str, table: str) -> set[str]:
    """The migrations that what is installed here knows of a database."""
    if table == OWN:
        return {path.stem for path in (REPOSITORY / "include" / "sql" / "migrations").glob("*.sql")}
    # Read as text: importing the packages takes seconds, and their migrations are no part of what they offer.
    folder = REVISIONS.get((database, table), "")
    files = (path for entry in sys.path if folder for path in Path(entry, folder).glob("*.py"))
    return {name for path in files for name in REVISION.findall(path.read_text(encoding="utf-8"))}


def installed() -> dict[str, str]:
    """The versions of what writes the databases."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _parsed(document: dict[str, Any]) -> Manifest:
    databases = {
        name: Database(
            {(schema, table): rows for schema, table, rows in held["rows"]},
            {table: tuple(revisions) for table, revisions in held["revisions"].items()},
        )
        for name, held in document["databases"].items()
    }
    return Manifest(
        taken_at=datetime.fromisoformat(document["taken_at"]),
        server=document["server"],
        programs=document["programs"],
        packages=document["packages"],
        databases=databases,
        files=tuple(File(**file) for file in document["files"]),
        gone=tuple(document["gone"]),
        fingerprints=tuple(document["fingerprints"]),
        encrypted=document["encrypted"],
    )
