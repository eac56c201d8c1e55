"""The platform tables arrive once, and arriving again changes nothing."""

import csv
import io
import json
import shutil
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg2

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


COPY_BY_ROW = """
COPY serving.predictions (
    prediction_id, request_id, use_case, model_version, features, prediction, label, probabilities, latency_ms,
    predicted_at, role
) FROM STDIN WITH (FORMAT csv)
"""


def test_a_process_that_was_started_before_logs_on(warehouse: Warehouse) -> None:
    number, named = str(uuid4()), str(uuid4())
    income = json.dumps({"place": 'a "quoted", ü', "income": 0.1})
    chances = json.dumps({"Y": 0.25, "N": 0.75})
    text = io.StringIO()
    csv.writer(text).writerows(
        [
            (number, "old", "rents", 3, income, 2.5, "", "", 1.5, "2026-04-01T23:59:59+00:00", "champion"),
            (named, "old", "rents", 3, "{}", "", "N", chances, 1.5, "2026-04-02T00:00:00+00:00", "shadow"),
        ]
    )
    with closing(psycopg2.connect(warehouse.dsn)) as link, link, link.cursor() as cursor:
        # It knew the second day before, and asks for its partition no more.
        cursor.execute("SELECT serving.ensure_partition('2026-04-01')")
        cursor.copy_expert(COPY_BY_ROW, io.StringIO(text.getvalue()))

    query = "SELECT * FROM serving.predictions WHERE request_id = 'old' ORDER BY predicted_at"
    first, second = warehouse.rows(query)
    assert (first["prediction_id"], first["prediction"], first["role"]) == (number, 2.5, "champion")
    assert first["features"] == json.loads(income)
    assert (second["prediction_id"], second["label"], second["role"]) == (named, "N", "shadow")
    assert (second["features"], second["probabilities"]) == ({}, json.loads(chances))
    days = warehouse.rows(
        "SELECT DISTINCT tableoid::regclass::text AS day FROM serving.answers WHERE request_id = 'old'"
    )
    assert sorted(row["day"] for row in days) == ["serving.answers_20260401", "serving.answers_20260402"]


def test_the_day_partition_is_made_once(warehouse: Warehouse) -> None:
    for _ in range(2):
        warehouse.rows("SELECT serving.ensure_partition('2026-03-01')")

    partitions = warehouse.rows("SELECT to_regclass('serving.answers_20260301') AS name")
    assert partitions == [{"name": "serving.answers_20260301"}]


def test_a_day_partition_has_all_that_the_log_has(warehouse: Warehouse) -> None:
    warehouse.rows("SELECT serving.ensure_partition('2026-03-05')")

    def of(table: str) -> dict[str, object]:
        storage = "SELECT attname, attstorage FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0"
        checks = "SELECT conname FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype = 'c'"
        return {
            "storage": sorted(row["attname"] + row["attstorage"] for row in warehouse.rows(storage, {"table": table})),
            "checks": sorted(row["conname"] for row in warehouse.rows(checks, {"table": table})),
        }

    assert of("serving.answers_20260305") == of("serving.answers")
    attached = (
        "SELECT count(*) AS indexes, count(kin.inhparent) AS attached FROM pg_index"
        " LEFT JOIN pg_inherits AS kin ON kin.inhrelid = indexrelid"
        " WHERE indrelid = 'serving.answers_20260305'::regclass"
    )
    assert warehouse.rows(attached) == [{"indexes": 4, "attached": 4}]
