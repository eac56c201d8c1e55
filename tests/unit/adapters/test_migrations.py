"""The platform tables arrive once, and arriving again changes nothing."""

from pathlib import Path

from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse

FOLDER = Path(__file__).parents[3] / "include" / "sql" / "migrations"


def test_a_migrated_warehouse_has_nothing_left_to_apply(warehouse: Warehouse) -> None:
    assert migrate(warehouse.dsn, FOLDER) == []


def test_an_empty_database_gets_every_migration_in_order(postgres_server) -> None:
    dsn = postgres_server.create("empty")

    applied = migrate(dsn, FOLDER)

    assert applied == sorted(path.stem for path in FOLDER.glob("*.sql"))


def test_a_migration_that_was_killed_locks_out_none_after_it(postgres_server) -> None:
    dsn = postgres_server.create("killed")
    migrate(dsn, FOLDER)
    killed = Warehouse(dsn, FOLDER)
    killed.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")
    killed.execute("DELETE FROM _yoyo_migration")

    assert migrate(dsn, FOLDER) == sorted(path.stem for path in FOLDER.glob("*.sql"))


def test_the_day_partition_is_made_once(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.rows("SELECT serving.ensure_partition('2026-03-01')")

    partitions = warehouse.rows("SELECT to_regclass('serving.predictions_20260301') AS name")
    assert partitions == [{"name": "serving.predictions_20260301"}]
