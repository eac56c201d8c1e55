"""Batches: a source file becomes a partition of the landing table, wholly or not at all."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

import psycopg2
from psycopg2 import sql

from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.columns import Column
from sluice.domain.errors import SourceError, StateError, TransientError
from sluice.domain.use_case import UseCase
from sluice.ingestion import layout as layouts
from sluice.ingestion import tables
from sluice.ingestion.layout import Layout
from sluice.ingestion.readings import Reading, plain
from sluice.ingestion.sources import SourceFile

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

#: Bytes handed to COPY at a time.
CHUNK = 1 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """One source file in the ledger.

    Attributes:
        rows: Rows the file held, bad ones included.
        quarantined: Rows of them in quarantine.
        reason: Why it was rejected.
        new: Whether this call landed it.
        notes: What a person may want to know about how it was read.
    """

    batch_id: int
    use_case: str
    source_uri: str
    sha256: str
    rows: int
    quarantined: int
    status: Literal["landed", "accepted", "rejected"]
    reason: str | None
    new: bool = False
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: dict[str, Any]) -> Batch:
        """The batch of a ledger row."""
        fields = ("batch_id", "use_case", "source_uri", "sha256", "rows", "quarantined", "status", "reason")
        return cls(**{field: row[field] for field in fields})


def land(warehouse: Warehouse, use_case: UseCase, source: SourceFile) -> Batch:
    """Copy a file into a new batch, in one transaction: a crash anywhere leaves what was before.

    A file that is in the ledger already changes nothing, except that an accepted full extract
    (`source.mode: replace`) becomes the current one again. Values are read tolerantly: stray spaces, other
    spellings of yes and no, `NA`, `NaN`, `null`, `none`, `-` and `?` for a missing value, 41.0 for 41, and
    numbers and dates as their columns say they are written; a row that cannot be read goes to quarantine.

    Raises:
        SourceError: The file is no CSV, lacks a column, or has no rows.
        SpecError: The table holds a column in another type.
        TransientError: The file changed while it was read.
    """
    seen = layouts.look(source.path, source.uri, use_case.columns)
    # Before it is matched: the header that lacks a column is the one that people must hear of.
    _keep_header(warehouse, use_case, source, seen)
    layout = layouts.match(seen, source.uri, use_case.columns)
    tables.ensure(warehouse, use_case)
    opening = {"use_case": use_case.name, "uri": source.uri, "sha256": source.sha256, "bytes": source.bytes}
    with warehouse.transaction() as connection:
        opened = fetch(connection, warehouse.statement("ingestion/batch_open"), opening)
        if not opened:
            return _seen(warehouse, connection, use_case, source)
        landing = _Landing(warehouse, connection, use_case, source, layout, opened[0]["batch_id"])
        rows, bad = landing.fill()
        if rows == 0:
            raise SourceError("the source has a header but no rows", source.uri, "look at what wrote it")
        if source.changed():
            raise TransientError("the source changed while it was read", source.uri, "land it again")
        counts = {"batch_id": landing.batch_id, "rows": rows, "quarantined": bad}
        with connection.cursor() as cursor:
            cursor.execute(landing.statement("partition_attach"))
            cursor.execute(warehouse.statement("ingestion/batch_landed"), counts)
        batch = _by_id(warehouse, connection, use_case, landing.batch_id)
    notes = tuple(f"the field {name!r} is not in the spec and was ignored" for name in layout.extra)
    for note in notes:
        log.warning("%s: %s", source.uri, note)
    return replace(batch, new=True, notes=notes)


def get(warehouse: Warehouse, use_case: UseCase, batch_id: int) -> Batch:
    """A batch from the ledger.

    Raises:
        StateError: The use case has no such batch.
    """
    with warehouse.transaction() as connection:
        return _by_id(warehouse, connection, use_case, batch_id)


def _by_id(warehouse: Warehouse, connection: Connection, use_case: UseCase, batch_id: int) -> Batch:
    wanted = {"use_case": use_case.name, "batch_id": batch_id}
    rows = fetch(connection, warehouse.statement("ingestion/batch_by_id"), wanted)
    if not rows:
        raise StateError(f"{use_case.name} has no batch {batch_id}", "ingest.batches", "land a source first")
    return Batch.of(rows[0])


def _keep_header(warehouse: Warehouse, use_case: UseCase, source: SourceFile, seen: Layout) -> None:
    values = {
        "use_case": use_case.name,
        "sha256": source.sha256,
        "uri": source.uri,
        "header": list(seen.header),
    }
    warehouse.execute(warehouse.statement("ingestion/header_seen"), values)


def _seen(warehouse: Warehouse, connection: Connection, use_case: UseCase, source: SourceFile) -> Batch:
    """The batch that holds this file already."""
    wanted = {"use_case": use_case.name, "sha256": source.sha256}
    batch = Batch.of(fetch(connection, warehouse.statement("ingestion/batch_by_sha256"), wanted)[0])
    if use_case.source.mode == "replace":
        with connection.cursor() as cursor:
            cursor.execute(warehouse.statement("ingestion/batch_current"), {"batch_id": batch.batch_id})
    return batch


@dataclass(frozen=True)
class _Landing:
    """The filling of one partition, inside a transaction."""

    warehouse: Warehouse
    connection: Connection
    use_case: UseCase
    source: SourceFile
    layout: Layout
    batch_id: int

    def fill(self) -> tuple[int, int]:
        """Make the partition and copy the rows in; how many rows there were, and how many went aside."""
        with self.connection.cursor() as cursor:
            # Dates without a zone are UTC, and day before month is never guessed.
            cursor.execute("SET LOCAL TIME ZONE 'UTC'; SET LOCAL DateStyle TO 'ISO, YMD'; SAVEPOINT landing")
            rows = self._copy_plain() if self._is_plain() else None
            if rows is not None:
                return rows, 0
            cursor.execute("ROLLBACK TO SAVEPOINT landing")
            return self._copy_tolerant()

    def statement(self, name: str, **identifiers: sql.Composable) -> sql.Composed:
        """One of the statements about the partition."""
        child = tables.partition_name(self.use_case, self.batch_id)
        counter = sql.Identifier("pg_temp", f"{child}_row")
        return self.warehouse.statement(
            f"ingestion/{name}",
            partition=tables.partition(self.use_case, self.batch_id),
            landing=tables.landing(self.use_case),
            batch_id=sql.Literal(self.batch_id),
            counter=counter,
            counter_name=sql.Literal(counter.as_string(self.connection)),
            **identifiers,
        )

    def _is_plain(self) -> bool:
        """Whether the file is laid out as Postgres reads it, and no column is written in a way of its own."""
        usual = not self.layout.extra and self.layout.delimiter == ","
        return usual and all(plain(column) for column in self.use_case.columns)

    def _copy_plain(self) -> int | None:
        """Let Postgres read the file; None where a value needs a tolerant reading."""
        places = zip(self.layout.fields, (c.name for c in self.use_case.columns), strict=True)
        columns = sql.SQL(", ").join(sql.Identifier(name) for _, name in sorted(places))
        with self.source.path.open("rb") as file, self.connection.cursor() as cursor:
            cursor.execute(self.statement("partition_table"))
            file.seek(self.layout.offset)
            body = _Body(file)
            try:
                cursor.copy_expert(self.statement("copy_csv", columns=columns), cast("Any", body), CHUNK)
            except psycopg2.DataError as error:
                log.info("%s: reading tolerantly, because: %s", self.source.uri, str(error).splitlines()[0])
                return None
            rows = cursor.rowcount
            cursor.execute(self.statement("doubtful", doubts=_doubts(self.use_case.columns)))
            return None if body.marked or cursor.fetchall() != [(0,)] else rows

    def _copy_tolerant(self) -> tuple[int, int]:
        """Read the file value by value and copy what was meant."""
        columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in self.use_case.columns)
        reading = Reading(self.use_case.columns, self.layout)
        with (
            self.source.path.open("rb") as file,
            tempfile.TemporaryFile() as aside,
            self.connection.cursor() as cursor,
        ):
            cursor.execute(self.statement("partition_table"))
            file.seek(self.layout.offset)
            lines = _Stream(reading.good(file, self.batch_id, aside))
            cursor.copy_expert(self.statement("copy_text", columns=columns), cast("Any", lines))
            aside.seek(0)
            quarantine = tables.quarantine(self.use_case)
            statement = self.warehouse.statement("ingestion/copy_quarantine", quarantine=quarantine)
            cursor.copy_expert(statement, aside, CHUNK)
        return reading.rows, reading.bad


def _doubts(columns: tuple[Column, ...]) -> sql.Composable:
    """A condition on the values that Postgres reads otherwise than `readings` does."""
    doubts: list[sql.Composable] = [sql.SQL("false")]
    for column in columns:
        name = sql.Identifier(column.name)
        if column.type == "number":
            doubts.append(sql.SQL("{} = 'NaN'").format(name))
        if column.type == "category":
            known = sql.Literal(list(column.categories or ()))
            doubts.append(sql.SQL("{} <> ALL({})").format(name, known))
    return sql.SQL("\n    OR ").join(doubts)


class _Body:
    """A file's rows for COPY, watched for the mark that ends the input of older servers early."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.marked = False

    def read(self, size: int) -> bytes:
        chunk = self.file.read(size)
        if chunk.endswith(b"\\"):
            chunk += self.file.read(1)
        self.marked = self.marked or b"\\." in chunk
        return chunk


class _Stream:
    """Pieces of bytes for COPY, one at a time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces

    def read(self, _size: int) -> bytes:
        return next((piece for piece in self.pieces if piece), b"")
