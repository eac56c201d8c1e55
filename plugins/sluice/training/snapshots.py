"""Snapshots: the validated rows of one moment as an immutable Parquet file, named by its content."""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from psycopg2 import sql

from sluice.adapters import targets
from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import DataError, StateError
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger(__name__)

PartName = Literal["train", "calibration", "test"]

#: Under this many rows no model is worth its evidence.
FEWEST_TRAIN_ROWS = 100


@dataclass(frozen=True)
class Snapshot:
    """A snapshot's entry in the ledger.

    Attributes:
        snapshot_id: First 16 hex digits of the digest of the rows; the same rows have the same id.
        use_case: Whose rows they are.
        uri: Where the file is.
        sha256: Hex digest of the file.
        rows: Rows in the file.
        available_rows: Rows there were; more than `rows` when a sample was drawn.
        train_rows: Rows to fit on.
        calibration_rows: Rows to measure prediction intervals on.
        test_rows: Rows no training ever sees.
        batch_ids: The batches the rows came in.
    """

    snapshot_id: str
    use_case: str
    uri: str
    sha256: str
    rows: int
    available_rows: int
    train_rows: int
    calibration_rows: int
    test_rows: int
    batch_ids: tuple[int, ...]

    @property
    def key(self) -> str:
        """The file's key in the object store."""
        return f"snapshots/{self.use_case}/{self.snapshot_id}.parquet"

    @property
    def note(self) -> str:
        """In words, how much of the data this is."""
        if self.rows < self.available_rows:
            return f"a sample of {self.rows} of {self.available_rows} validated rows, drawn by identity"
        return f"all {self.rows} validated rows"


@dataclass(frozen=True)
class Part:
    """The rows of one part.

    Attributes:
        inputs: Raw, one column per input of the use case.
        target: Shape (rows,), in the target's unit; a class as its position in `use_case.classes`.
        identity: Shape (rows,), hash of what makes two rows the same thing.
    """

    inputs: pd.DataFrame
    target: np.ndarray[tuple[int], np.dtype[np.float64]]
    identity: np.ndarray[tuple[int], np.dtype[np.object_]]

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class Rows:
    """A snapshot's rows, by part."""

    train: Part
    calibration: Part
    test: Part

    @classmethod
    def of(cls, use_case: UseCase, frame: pd.DataFrame) -> Self:
        """Divide rows by their `_part`."""
        names = [column.name for column in use_case.inputs]

        def part(name: PartName) -> Part:
            rows = frame[frame["_part"] == name]
            return Part(
                rows[names].reset_index(drop=True),
                targets.encode(use_case, rows[use_case.target]),
                rows["_identity"].to_numpy(dtype=object),
            )

        return cls(part("train"), part("calibration"), part("test"))


def take(warehouse: Warehouse, store: ObjectStore, use_case: UseCase) -> Snapshot:
    """Freeze the validated rows of now; rows that were frozen before keep their snapshot.

    Args:
        warehouse: Holds `validated.<use_case>`.
        store: Where the file goes.
        use_case: Names the columns, and how many rows are used at most.

    Raises:
        DataError: There are too few rows to train or to judge on.
        StateError: The snapshot's file is not the one the ledger speaks of.
    """
    table, available = _read(warehouse, use_case)
    found = _describe(use_case, table, available)
    _refuse_too_few(use_case, found)
    known = find(warehouse, found.snapshot_id)
    if known is not None and store.exists(known.key):
        log.info("snapshot %s is there already: %s", known.snapshot_id, known.note)
        return known
    content = _parquet(table)
    made = Snapshot(**{**asdict(found), "uri": store.url(found.key), "sha256": hashlib.sha256(content).hexdigest()})
    if known is not None and known.sha256 != made.sha256:
        raise StateError(
            f"the file of snapshot {known.snapshot_id} is gone and cannot be made again to the byte",
            known.uri,
            "restore it from a backup",
        )
    store.write_bytes(made.key, content)
    warehouse.execute(
        warehouse.statement("training/record_snapshot"), {**asdict(made), "batch_ids": list(made.batch_ids)}
    )
    log.info("snapshot %s: %s", made.snapshot_id, made.note)
    return get(warehouse, made.snapshot_id)


def find(warehouse: Warehouse, snapshot_id: str) -> Snapshot | None:
    """A snapshot from the ledger, or None where it has no such entry."""
    rows = warehouse.rows(warehouse.statement("training/snapshot"), {"snapshot_id": snapshot_id})
    return Snapshot(**{**rows[0], "batch_ids": tuple(rows[0]["batch_ids"])}) if rows else None


def get(warehouse: Warehouse, snapshot_id: str) -> Snapshot:
    """A snapshot from the ledger.

    Raises:
        StateError: It has no such entry.
    """
    snapshot = find(warehouse, snapshot_id)
    if snapshot is None:
        raise StateError(f"there is no snapshot {snapshot_id}", "ml.snapshots", "take one first")
    return snapshot


def load(store: ObjectStore, snapshot: Snapshot, use_case: UseCase) -> Rows:
    """Read a snapshot's rows.

    Raises:
        StateError: The file is missing, is not the one the ledger speaks of, or lacks a column of the spec.
    """
    import pyarrow.parquet as pq

    content = store.read_bytes(snapshot.key)
    if hashlib.sha256(content).hexdigest() != snapshot.sha256:
        raise StateError("the snapshot's file was altered", snapshot.uri, "restore it, or take a new one")
    table = pq.read_table(io.BytesIO(content))
    for column in (*use_case.inputs, use_case.target_column):
        if column.name not in table.column_names:
            raise StateError(
                f"the snapshot lacks the column {column.name!r}, which the spec has now", snapshot.uri, "take a new one"
            )
    return Rows.of(use_case, table.to_pandas())


def _read(warehouse: Warehouse, use_case: UseCase) -> tuple[pa.Table, int]:
    """The rows to freeze, and how many there are to choose from."""
    view = ("validated", use_case.name)
    counted = warehouse.rows(warehouse.statement("training/available_rows", view=view))
    available = int(counted[0]["available_rows"])
    most = use_case.training.max_rows
    identifiers: dict[str, Any] = {
        "view": view,
        "columns": sql.SQL(", ").join(sql.Identifier(column.name) for column in use_case.columns),
    }
    if available > most:
        statement = warehouse.statement("training/sampled_rows", **identifiers, max_rows=sql.Literal(most))
    else:
        statement = warehouse.statement("training/rows", **identifiers)
    table = warehouse.arrow(statement)
    # A batch that was accepted between the two statements is in the rows but not in the count.
    return table, max(available, table.num_rows)


def _describe(use_case: UseCase, table: pa.Table, available: int) -> Snapshot:
    parts = {str(e["values"]): int(e["counts"]) for e in table["_part"].combine_chunks().value_counts().to_pylist()}
    return Snapshot(
        snapshot_id=content_id(table),
        use_case=use_case.name,
        uri="",
        sha256="",
        rows=table.num_rows,
        available_rows=available,
        train_rows=parts.get("train", 0),
        calibration_rows=parts.get("calibration", 0),
        test_rows=parts.get("test", 0),
        batch_ids=tuple(sorted(table["_batch_id"].unique().to_pylist())),
    )


def _refuse_too_few(use_case: UseCase, snapshot: Snapshot) -> None:
    least = use_case.gate.min_test_rows
    for rows, needed, use in (
        (snapshot.train_rows, FEWEST_TRAIN_ROWS, "train on"),
        (snapshot.test_rows, least, "judge on (gate.min_test_rows)"),
    ):
        if rows < needed:
            raise DataError(
                f"{rows} rows are too few to {use}: at least {needed} are needed",
                f"validated.{use_case.name}",
                "ingest more rows",
            )


def content_id(table: pa.Table) -> str:
    """Sixteen hex digits that follow from the rows alone, whatever wrote or stored them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    digest = hashlib.sha256()
    for name in table.column_names:
        column = table[name].combine_chunks()
        digest.update(f"{name}\0{column.type}\0{len(column)}\0".encode())
        digest.update(pc.is_null(column).to_numpy(zero_copy_only=False).tobytes())
        # Under a null a buffer may hold anything.
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = column.fill_null("")
            digest.update(pc.binary_length(texts).to_numpy(zero_copy_only=False).astype("<i8").tobytes())
            digest.update("".join(texts.to_pylist()).encode())
        else:
            numbers = column.cast(pa.int64()) if pa.types.is_temporal(column.type) else column
            zero = False if pa.types.is_boolean(numbers.type) else 0
            digest.update(numbers.fill_null(zero).to_numpy(zero_copy_only=False).tobytes())
    return digest.hexdigest()[:16]


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()
