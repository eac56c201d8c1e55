from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import psycopg2.extras
import pyarrow as pa
import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import DataError, StateError
from sluice.domain.use_case import UseCase
from sluice.training import snapshots
from tests.unit.training.conftest import make_rows, spec


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "store").as_uri())


@pytest.fixture
def validated(warehouse: Warehouse) -> Warehouse:
    """A warehouse with 600 validated rows in two batches."""
    warehouse.execute("DROP TABLE IF EXISTS validated.flats; DELETE FROM ml.snapshots")
    warehouse.execute(
        "CREATE TABLE validated.flats (area float8, rooms bigint, lift boolean, district text, rent float8,"
        " seen_at timestamptz, _batch_id bigint, _row bigint, _identity text, _part text)"
    )
    rows = make_rows(600)
    add(warehouse, rows.iloc[:400], batch=1)
    add(warehouse, rows.iloc[400:], batch=2)
    return warehouse


def add(warehouse: Warehouse, frame: pd.DataFrame, batch: int) -> None:
    columns = ["area", "rooms", "lift", "district", "rent", "_identity", "_part"]
    records = frame[columns].astype(object).where(frame[columns].notna(), None)
    rows = [(*row, batch, number) for number, row in enumerate(records.itertuples(index=False), 1)]
    with warehouse.transaction() as connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor,
            f"INSERT INTO validated.flats ({', '.join(columns)}, _batch_id, _row) VALUES %s",  # noqa: S608 - own names
            rows,
        )


def test_a_snapshot_holds_every_validated_row_and_says_where_they_came_from(
    validated: Warehouse, store: ObjectStore, flats: UseCase
) -> None:
    taken = snapshots.take(validated, store, flats)
    assert (taken.rows, taken.available_rows, taken.batch_ids) == (600, 600, (1, 2))
    assert taken.train_rows + taken.calibration_rows + taken.test_rows == 600
    assert taken.sha256 == store.sha256(f"snapshots/flats/{taken.snapshot_id}.parquet")
    assert taken.note == "all 600 validated rows"
    assert snapshots.get(validated, taken.snapshot_id) == taken


def test_loading_gives_the_rows_back_by_part(validated: Warehouse, store: ObjectStore, flats: UseCase) -> None:
    rows = snapshots.load(store, snapshots.take(validated, store, flats), flats)
    expected = snapshots.Rows.of(flats, make_rows(600))
    for name in ("train", "calibration", "test"):
        ours, theirs = getattr(rows, name), getattr(expected, name)
        np.testing.assert_array_equal(ours.target, theirs.target)
        np.testing.assert_array_equal(ours.identity, theirs.identity)
        pd.testing.assert_frame_equal(ours.inputs, theirs.inputs, check_dtype=False)
    assert list(rows.train.inputs) == ["area", "rooms", "lift", "district"]


def test_the_same_rows_keep_their_snapshot_and_nothing_is_written_again(
    validated: Warehouse, store: ObjectStore, flats: UseCase
) -> None:
    first = snapshots.take(validated, store, flats)
    file = Path(first.uri.removeprefix("file://"))
    written = file.stat().st_mtime_ns
    assert snapshots.take(validated, store, flats) == first
    assert file.stat().st_mtime_ns == written


def test_one_changed_value_is_another_snapshot(validated: Warehouse, store: ObjectStore, flats: UseCase) -> None:
    first = snapshots.take(validated, store, flats)
    validated.execute("UPDATE validated.flats SET rooms = 99 WHERE _batch_id = 1 AND _row = 1")
    second = snapshots.take(validated, store, flats)
    assert second.snapshot_id != first.snapshot_id
    assert store.exists(first.key)


def test_a_crash_before_the_ledger_leaves_nothing_that_stands_in_the_way(
    validated: Warehouse, store: ObjectStore, flats: UseCase
) -> None:
    first = snapshots.take(validated, store, flats)
    validated.execute("DELETE FROM ml.snapshots")
    assert snapshots.take(validated, store, flats) == first


def test_a_lost_file_is_made_again(validated: Warehouse, store: ObjectStore, flats: UseCase) -> None:
    first = snapshots.take(validated, store, flats)
    Path(first.uri.removeprefix("file://")).unlink()
    assert snapshots.take(validated, store, flats) == first
    assert store.sha256(first.key) == first.sha256


def test_an_altered_file_is_refused(validated: Warehouse, store: ObjectStore, flats: UseCase) -> None:
    taken = snapshots.take(validated, store, flats)
    store.write_bytes(taken.key, b"something else")
    with pytest.raises(StateError, match="altered"):
        snapshots.load(store, taken, flats)


def test_above_the_cap_a_sample_is_drawn_that_keeps_the_parts_in_proportion(
    validated: Warehouse, store: ObjectStore
) -> None:
    capped = spec(training={"max_rows": 300}, gate={"min_test_rows": 20})
    taken = snapshots.take(validated, store, capped)
    assert (taken.rows, taken.available_rows) == (300, 600)
    assert 0.1 < taken.test_rows / 300 < 0.3
    assert taken.note == "a sample of 300 of 600 validated rows, drawn by identity"
    assert snapshots.take(validated, store, capped).snapshot_id == taken.snapshot_id


@pytest.mark.parametrize(
    ("keep", "use"), [("_row <= 40", "train on"), ("_part <> 'test' OR _row < 5", "judge on")], ids=["train", "test"]
)
def test_too_few_rows_are_an_error_that_says_for_what(
    validated: Warehouse, store: ObjectStore, flats: UseCase, keep: str, use: str
) -> None:
    validated.execute(f"DELETE FROM validated.flats WHERE NOT ({keep})")  # noqa: S608 - own condition
    with pytest.raises(DataError, match=f"too few to {use}"):
        snapshots.take(validated, store, flats)
    assert validated.rows("SELECT 1 FROM ml.snapshots") == []


def test_an_unknown_snapshot_is_an_error(validated: Warehouse) -> None:
    with pytest.raises(StateError, match="no snapshot feed"):
        snapshots.get(validated, "feed")


def test_the_id_follows_from_the_values_and_not_from_how_they_are_stored() -> None:
    whole = pa.table({"a": pa.array([1.5, None, 3.0]), "b": pa.array(["x", "", None])})
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    hidden = pa.Array.from_buffers(pa.float64(), 3, [pa.py_buffer(b"\x05"), pa.array([1.5, 77.0, 3.0]).buffers()[1]])
    assert snapshots.content_id(chunked) == snapshots.content_id(whole)
    assert snapshots.content_id(whole.set_column(0, "a", hidden)) == snapshots.content_id(whole)


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"a": pa.array(["ab", "c"])}),
        pa.table({"a": pa.array(["a", None])}),
        pa.table({"b": pa.array(["a", "bc"])}),
        pa.table({"a": pa.array(["bc", "a"])}),
    ],
    ids=["boundaries", "null", "name", "order"],
)
def test_other_rows_have_another_id(other: pa.Table) -> None:
    assert snapshots.content_id(other) != snapshots.content_id(pa.table({"a": pa.array(["a", "bc"])}))


def test_a_missing_value_is_not_an_empty_one() -> None:
    missing, empty = (pa.table({"a": pa.array([1.0, 0.0]), "b": pa.array(["a", text])}) for text in (None, ""))
    assert snapshots.content_id(missing) != snapshots.content_id(empty)
    nothing = empty.set_column(0, "a", pa.array([1.0, None]))
    assert snapshots.content_id(nothing) != snapshots.content_id(empty)
