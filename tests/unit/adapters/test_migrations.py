"""The platform tables arrive once, and arriving again changes nothing."""

import csv
import io
import json
import shutil
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError

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


#: What a stack had written by the time that it was of an older version: batches, a champion, and what came of it.
HISTORY = """
INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows, quarantined, status, judged_at)
SELECT 'rents', 'file:///rents.csv', 'a' || n, 100 * n, n, 1, 'accepted', now() FROM generate_series(1, 40) AS n;
INSERT INTO ingest.validations (batch_id, success, result) SELECT batch_id, TRUE, '{"rows": 7}' FROM ingest.batches;
INSERT INTO ml.snapshots VALUES ('s1', 'rents', 'file:///s1', 'b', 90, 90, 60, 10, 20, '{1,2}');
INSERT INTO ml.evidence VALUES ('run', 'rents', 'good_enough', '{"passed": true}');
INSERT INTO ml.decisions (use_case, version, code, message, evidence, dag_run_id)
SELECT 'rents', n, 'promote', 'better', '[]', 'run' || n FROM generate_series(1, 3) AS n;
INSERT INTO ml.releases VALUES ('rents', 3, 'c', 'd', 'r', 's1', 'rents:v3', 'file:///r3');
INSERT INTO ml.deployments (use_case, from_version, to_version, decision_id, actor, reason)
SELECT 'rents', nullif(version - 1, 0), version, decision_id, 'gate', 'better' FROM ml.decisions;
INSERT INTO serving.replicas VALUES ('rents', 'host', 7, 3, 'c', 'registry', 'serves', 'd', now(), now());
INSERT INTO monitoring.reports (use_case, kind, version, current_source, reference_rows, current_rows, verdict, message,
    dag_run_id) VALUES ('rents', 'drift', 3, 'serving', 60, 50, 'drifted', 'income drifted', 'monitor');
INSERT INTO monitoring.columns SELECT report_id, 'income', 'psi', .3, .2, TRUE FROM monitoring.reports;
SELECT serving.ensure_partition('2026-03-01');
"""
BY_ROW = """
INSERT INTO serving.predictions (prediction_id, request_id, use_case, model_version, features, prediction, latency_ms,
    predicted_at)
SELECT gen_random_uuid(), 'r' || n, 'rents', 3, jsonb_build_object('income', n / 7.0), n / 3.0, 1.5,
    '2026-03-01 00:00:00+00'::timestamptz + n * interval '10 seconds'
FROM generate_series(1, 5000) AS n
"""
#: Everything that was in the history, as whoever looks something up sees it: in the tables of any version.
LOOKS = {
    "batches": "SELECT batch_id, use_case, source_uri, sha256, bytes, rows, quarantined, status, landed_at, judged_at"
    " FROM ingest.batches",
    "validations": "SELECT validation_id, batch_id, success, result FROM ingest.validations",
    "snapshots": "SELECT snapshot_id, uri, sha256, rows, train_rows, batch_ids, created_at FROM ml.snapshots",
    "evidence": "SELECT dag_run_id, use_case, blessing, evidence, gathered_at FROM ml.evidence",
    "decisions": "SELECT decision_id, use_case, version, code, message, evidence, dag_run_id, decided_at"
    " FROM ml.decisions",
    "releases": "SELECT use_case, version, bundle_sha256, runtime_sha256, run_id, snapshot_id, bento, uri, created_at"
    " FROM ml.releases",
    "deployments": "SELECT deployment_id, use_case, from_version, to_version, decision_id, actor, reason, deployed_at"
    " FROM ml.deployments",
    "replicas": "SELECT use_case, host, pid, version, reason, seen_at FROM serving.replicas",
    "reports": "SELECT report_id, use_case, kind, version, verdict, message, dag_run_id, created_at"
    " FROM monitoring.reports",
    "columns": "SELECT report_id, column_name, method, score, threshold, drifted FROM monitoring.columns",
    "predictions": "SELECT prediction_id, request_id, use_case, model_version, features, prediction, latency_ms,"
    " predicted_at FROM serving.predictions",
}
LATER = {
    "0002_classes": (),
    "0003_gate_and_release": (
        "INSERT INTO ml.canaries (use_case, version, champion_version, decision_id, policy, yardstick, step)"
        " VALUES ('rents', 4, 3, 3, '{}', '{}', 0)",
        "INSERT INTO ml.canary_looks (canary_id, step, seen) VALUES (1, 0, '{\"requests\": 9}')",
        "INSERT INTO serving.failures (request_id, use_case, model_version, role, reason, failed_at)"
        " VALUES ('f', 'rents', 3, 'champion', 'overflow', now())",
    ),
}


def look(warehouse: Warehouse) -> dict[str, list[dict[str, object]]]:
    return {name: warehouse.rows(f"{query} ORDER BY {query[7:].split(',')[0]}") for name, query in LOOKS.items()}


@pytest.mark.parametrize("last", ["0002_classes", "0003_gate_and_release", "0004_answers", "0005_labels"])
def test_a_warehouse_with_a_history_comes_forward_with_all_of_it(postgres_server, tmp_path: Path, last: str) -> None:
    dsn = postgres_server.create(f"from_{last}")
    warehouse = Warehouse(dsn, FOLDER)
    migrate(dsn, older(tmp_path, "0002_classes" if last == "0002_classes" else "0003_gate_and_release"))
    warehouse.execute(HISTORY)
    warehouse.execute(BY_ROW)
    for name, statements in LATER.items():
        for statement in statements if name <= last else ():
            warehouse.execute(statement)
    migrate(dsn, older(tmp_path, last))
    before = look(warehouse)

    applied = migrate(dsn, FOLDER)

    assert applied == sorted(path.stem for path in FOLDER.glob("*.sql") if path.stem > last)
    assert look(warehouse) == before
    assert len(before["predictions"]) == 5000
    if last > "0002_classes":
        assert warehouse.rows("SELECT version, seen FROM ml.canaries NATURAL JOIN ml.canary_looks") == [
            {"version": 4, "seen": {"requests": 9}}
        ]
        assert warehouse.rows("SELECT request_id, failure_id FROM serving.failures") == [
            {"request_id": "f", "failure_id": None}
        ]


REFUSED = {
    "a decision is changed": ("UPDATE ml.decisions SET code = 'reject'", "is a ledger"),
    "a deployment is removed": ("DELETE FROM ml.deployments", "is a ledger"),
    "a decision is carried out twice": (
        "INSERT INTO ml.deployments (use_case, to_version, decision_id, actor, reason)"
        " VALUES ('rents', 3, 3, 'gate', 'again')",
        "deployments_once_per_decision",
    ),
    "a batch comes twice": (
        "INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows) VALUES ('rents', 'x', 'a1', 1, 1)",
        "batches_use_case_sha256_key",
    ),
    "a release has no snapshot": (
        "INSERT INTO ml.releases VALUES ('rents', 9, 'c', 'd', 'r', 'none', 'rents:v9', 'file:///r9')",
        "releases_snapshot_id_fkey",
    ),
    "a verdict is none": ("UPDATE monitoring.reports SET verdict = 'fine'", "reports_verdict_check"),
    "a report has no moment": ("UPDATE monitoring.reports SET checked_for = NULL", "checked_for"),
    "an answer has no prediction": ("UPDATE serving.answers SET predictions = NULL", "answers_answer"),
}


@pytest.fixture(scope="module")
def forward(postgres_server, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse that came forward from the second migration, with its history."""
    warehouse = Warehouse(postgres_server.create("forward"), FOLDER)
    migrate(warehouse.dsn, older(tmp_path_factory.mktemp("older"), "0002_classes"))
    warehouse.execute(HISTORY)
    warehouse.execute(BY_ROW)
    migrate(warehouse.dsn, FOLDER)
    return warehouse


@pytest.mark.parametrize(("statement", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_came_forward_is_held_to_what_holds_now(forward: Warehouse, statement: str, reason: str) -> None:
    with pytest.raises(psycopg2.Error, match=reason):
        forward.execute(statement)


def test_what_came_forward_goes_on(forward: Warehouse) -> None:
    assert forward.execute("UPDATE monitoring.reports SET verdict = 'degraded'") == 1

    insert = "INSERT INTO ml.decisions (use_case, version, code, message, evidence, dag_run_id)"
    added = forward.rows(f"{insert} VALUES ('rents', 4, 'promote', 'better', '[]', 'run4') RETURNING decision_id")
    assert added == [{"decision_id": 4}]


def test_a_migration_that_fails_leaves_nothing_of_itself(postgres_server, tmp_path: Path) -> None:
    dsn = postgres_server.create("failing")
    warehouse = Warehouse(dsn, FOLDER)
    folder = older(tmp_path, "0002_classes")
    (folder / "0003_mine.sql").write_text("-- depends: 0002_classes\nCREATE TABLE mine (a int);\nSELECT 1 / 0;\n")

    for _ in range(2):
        with pytest.raises(StateError, match="0003_mine fails, and those before it are applied: division by"):
            migrate(dsn, folder)

    assert warehouse.rows("SELECT to_regclass('mine') AS mine, to_regclass('ml.releases') IS NULL AS none") == [
        {"mine": None, "none": False}
    ]
    (folder / "0003_mine.sql").write_text("-- depends: 0002_classes\nCREATE TABLE mine (a int);\n")
    assert migrate(dsn, folder) == ["0003_mine"]
