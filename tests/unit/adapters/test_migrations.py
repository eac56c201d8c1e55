"""The platform tables arrive once, and arriving again changes nothing."""

import shutil
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


def older(folder: Path, last: str) -> Path:
    """A folder that holds the migrations up to one of them."""
    for path in FOLDER.glob("*.sql"):
        if path.stem <= last:
            shutil.copy(path, folder)
    return folder


def test_a_migration_that_was_killed_locks_out_none_after_it(postgres_server, tmp_path: Path) -> None:
    dsn = postgres_server.create("killed")
    migrate(dsn, older(tmp_path, "0001_warehouse"))
    killed = Warehouse(dsn, FOLDER)
    killed.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 1)")

    assert migrate(dsn, FOLDER) == sorted(path.stem for path in FOLDER.glob("*.sql"))[1:]


def test_predictions_that_were_logged_by_row_are_kept(postgres_server, tmp_path: Path) -> None:
    dsn = postgres_server.create("by_row")
    migrate(dsn, older(tmp_path, "0003_gate_and_release"))
    warehouse = Warehouse(dsn, FOLDER)
    days = ["2026-03-01 23:59:59+00", "2026-03-02 00:00:00+00"]
    for day in days:
        warehouse.execute("SELECT serving.ensure_partition(%(day)s)", {"day": day[:10]})
    insert = (
        "INSERT INTO serving.predictions VALUES (gen_random_uuid(), 'r', 'rents', 3, %(features)s, %(prediction)s, 1.5,"
        " %(at)s, %(label)s, %(probabilities)s, 'challenger')"
    )
    number = {"features": '{"b": 1, "a": "x"}', "prediction": 2.5, "at": days[0], "label": None, "probabilities": None}
    named = {"features": "{}", "prediction": None, "at": days[1], "label": "Y", "probabilities": '{"Y": 1.0}'}
    for row in (number, named):
        warehouse.execute(insert, row)
    select = (
        "SELECT prediction_id, request_id, use_case, model_version, features, prediction, latency_ms, predicted_at,"
        " label, probabilities, role FROM serving.predictions ORDER BY predicted_at"
    )
    before = warehouse.rows(select)

    migrate(dsn, FOLDER)

    assert warehouse.rows(select) == before
    assert len(before) == 2


def test_the_day_partition_is_made_once(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.rows("SELECT serving.ensure_partition('2026-03-01')")

    partitions = warehouse.rows("SELECT to_regclass('serving.answers_20260301') AS name")
    assert partitions == [{"name": "serving.answers_20260301"}]
