from __future__ import annotations

from pathlib import Path

import psycopg2.extras
import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.use_case import UseCase
from sluice.training import snapshots
from sluice.training.recall import recall
from sluice.training.snapshots import Snapshot
from tests.unit.training.conftest import make_rows, spec

COLUMNS = ("area", "rooms", "lift", "district", "rent", "_identity", "_part")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "store").as_uri())


@pytest.fixture
def earlier(warehouse: Warehouse, store: ObjectStore, flats: UseCase) -> Snapshot:
    """A snapshot of 600 rows, of which the last 300 have gone since."""
    frame = make_rows(600)
    records = frame[list(COLUMNS)].astype(object).where(frame[list(COLUMNS)].notna(), None)
    warehouse.execute("DROP TABLE IF EXISTS validated.flats; DELETE FROM ml.snapshots")
    warehouse.execute(
        "CREATE TABLE validated.flats (area float8, rooms bigint, lift boolean, district text, rent float8,"
        " seen_at timestamptz, _batch_id bigint, _row bigint, _identity text, _part text)"
    )
    with warehouse.transaction() as connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(
            cursor,
            f"INSERT INTO validated.flats ({', '.join(COLUMNS)}, _batch_id, _row) VALUES %s",  # noqa: S608 - own names
            [(*row, 1, number) for number, row in enumerate(records.itertuples(index=False), 1)],
        )
    taken = snapshots.take(warehouse, store, flats)
    warehouse.execute("DELETE FROM validated.flats WHERE _row > 300")
    return taken


def test_an_earlier_snapshot_is_found_although_rows_have_gone(
    warehouse: Warehouse, store: ObjectStore, flats: UseCase, earlier: Snapshot
) -> None:
    assert snapshots.take(warehouse, store, flats).snapshot_id != earlier.snapshot_id
    assert recall(warehouse, store, flats, f" {earlier.snapshot_id} ") == earlier


def test_an_unknown_snapshot_is_an_error(
    warehouse: Warehouse, store: ObjectStore, flats: UseCase, earlier: Snapshot
) -> None:
    with pytest.raises(StateError, match="there is no snapshot 0123"):
        recall(warehouse, store, flats, "0123")


def test_the_snapshot_of_another_use_case_is_an_error(
    warehouse: Warehouse, store: ObjectStore, flats: UseCase, earlier: Snapshot
) -> None:
    houses = flats.model_copy(update={"name": "houses"})
    with pytest.raises(StateError, match="is of flats, not of houses"):
        recall(warehouse, store, houses, earlier.snapshot_id)


@pytest.mark.parametrize("split", [{"test": 0.25}, {"calibration": 0.15}, {"test": 0.1, "calibration": 0.2}])
def test_a_snapshot_that_was_divided_otherwise_is_an_error(
    warehouse: Warehouse, store: ObjectStore, earlier: Snapshot, split: dict[str, float]
) -> None:
    with pytest.raises(StateError, match="divided as the spec says now"):
        recall(warehouse, store, spec(training={"split": split}), earlier.snapshot_id)


def test_a_snapshot_whose_rows_were_identified_otherwise_is_an_error(
    warehouse: Warehouse, store: ObjectStore, flats: UseCase, earlier: Snapshot
) -> None:
    warehouse.execute("UPDATE validated.flats SET _identity = md5('other' || _identity)")
    with pytest.raises(StateError, match="divided as the spec says now"):
        recall(warehouse, store, flats, earlier.snapshot_id)


def test_a_snapshot_without_a_column_of_the_spec_is_an_error(
    warehouse: Warehouse, store: ObjectStore, flats: UseCase, earlier: Snapshot
) -> None:
    area, *others = flats.columns
    wider = flats.model_copy(update={"columns": (area, area.model_copy(update={"name": "floor"}), *others)})
    with pytest.raises(StateError, match="lacks the column 'floor'"):
        recall(warehouse, store, wider, earlier.snapshot_id)
