"""What a stack keeps, without its programs: four databases of a throwaway server, and folders of files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from local import credentials, manifest
from local.places import ARTIFACTS, BENTOS, BUILT, DATABASES, KEYS, STORE, Folder, Places
from sluice.adapters.warehouse import Warehouse
from tests.conftest import STATEMENTS, Server

NUMBERS = count(1)
FERNET_KEY = credentials.fernet_key()
API_KEY = "only-for-tests-of-backups"
#: Each with something that a dump could lose: keys, an identity, an enumeration, what is encrypted.
AIRFLOW = """
CREATE TABLE alembic_version (version_num text);
CREATE TYPE state AS ENUM ('queued', 'success');
CREATE TABLE dag_run (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, dag_id text NOT NULL, state state NOT NULL);
CREATE TABLE connection (id serial PRIMARY KEY, password text, is_encrypted boolean, is_extra_encrypted boolean);
CREATE TABLE variable (id serial PRIMARY KEY, val text, is_encrypted boolean);
INSERT INTO dag_run (dag_id, state) SELECT 'rents_train', 'success' FROM generate_series(1, 300);
INSERT INTO connection (password, is_encrypted, is_extra_encrypted) VALUES ('gAAAAA', TRUE, FALSE);
"""
MLFLOW = """
CREATE TABLE alembic_version (version_num text);
CREATE TABLE registered_model_aliases (name text, alias text, version int);
INSERT INTO registered_model_aliases VALUES ('rents', 'champion', 3);
"""
OPTUNA = """
CREATE TABLE alembic_version (version_num text);
CREATE TABLE trials (trial_id serial PRIMARY KEY, value double precision);
INSERT INTO trials (value) SELECT sqrt(n) FROM generate_series(1, 500) AS n;
"""
WAREHOUSE = """
INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows) VALUES ('rents', 'file:///r.csv', 'a', 9, 9);
INSERT INTO ml.snapshots VALUES ('s1', 'rents', 'file:///s1', 'b', 90, 90, 60, 10, 20, '{1}');
INSERT INTO ml.decisions (use_case, version, code, message, evidence, dag_run_id)
VALUES ('rents', 3, 'promote', 'better', '[]', 'run');
INSERT INTO ml.releases VALUES ('rents', 3, 'c', 'd', 'r', 's1', 'rents:v3', 'file:///r3');
INSERT INTO ml.deployments (use_case, to_version, decision_id, actor, reason) VALUES ('rents', 3, 1, 'gate', 'better');
SELECT serving.ensure_partition('2026-03-01');
INSERT INTO serving.answers (answer_id, request_id, use_case, model_version, role, size, names, features, predictions,
    latency_ms, predicted_at)
SELECT gen_random_uuid(), 'r' || n, 'rents', 3, 'champion', 1, '{income}', json_build_array(json_build_array(n / 7.0)),
    ARRAY[n / 3.0], 1.5, '2026-03-01 00:00:00+00'::timestamptz + n * interval '1 second'
FROM generate_series(1, 400) AS n;
"""
FILES = {
    "store/snapshots/rents/s1.parquet": b"PAR1" + bytes(range(256)) * 20,
    "store/releases/rents/3/model.onnx": b"\x08\x0a" * 3000,
    "store/releases/rents/champion.json": json.dumps({"version": 3}).encode(),
    "artifacts/1/ru n/artifacts/ä plot.png": b"\x89PNG",
    "bentos/bentos/rents/v3-0123456789ab/bento.yaml": b"name: rents\n",
    "keys/api-keys.jsonl": b'{"name": "alice", "sha256": "5e88"}\n',
}
#: What lies beside them and is none of a backup's business.
BESIDE = {
    "bentos/tmp/half": b"built",
    "keys/credentials.json": json.dumps({"fernet_key": FERNET_KEY, "key": API_KEY}).encode(),
    "store/releases/rents/4/model.onnx.0123456789abcdef0123456789abcdef.partial": b"half",
}


def empty(server: Server, root: Path) -> Places:
    """The places of a stack that was never started: databases without tables, folders that are not there."""
    number = next(NUMBERS)
    dsns = {name: server.create(f"{name}_of_stack_{number}") for name in DATABASES}
    folders = (
        Folder(STORE, f"file://{root / 'store'}"),
        Folder(ARTIFACTS, str(root / "artifacts")),
        Folder(BENTOS, str(root / "bentos"), BUILT),
        Folder(KEYS, str(root / "keys"), ("api-keys.jsonl",), private=True),
    )
    return Places(dsns, folders, FERNET_KEY)


def owned(server: Server, root: Path) -> Places:
    """The places of a stack as in containers: each database has an owner, who may do nothing else."""
    places = empty(server, root)
    dsns = {}
    for name, dsn in places.databases.items():
        database = psycopg2.extensions.parse_dsn(dsn)["dbname"]
        identifiers = {"role": sql.Identifier(f"owner_of_{database}"), "database": sql.Identifier(database)}
        warehouse = Warehouse(dsn, STATEMENTS)
        for statement in (
            "CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD 'only-for-tests'",
            "ALTER DATABASE {database} OWNER TO {role}",
            "REVOKE ALL ON DATABASE {database} FROM PUBLIC",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        ):
            warehouse.execute(sql.SQL(statement).format(**identifiers))
        dsns[name] = psycopg2.extensions.make_dsn(dsn, user=f"owner_of_{database}", password="only-for-tests")
    return Places(dsns, places.folders, places.fernet_key)


def filled(server: Server, root: Path) -> Places:
    """The places of a stack with a champion that was asked."""
    places = empty(server, root)
    dsns = dict(places.databases)
    dsns["warehouse"] = server.create(f"warehouse_of_stack_{next(NUMBERS)}", "migrated")
    for name, statements in (("airflow", AIRFLOW), ("mlflow", MLFLOW), ("optuna", OPTUNA), ("warehouse", WAREHOUSE)):
        Warehouse(dsns[name], STATEMENTS).execute(statements)
    for name in ("airflow", "mlflow", "optuna"):
        revision = sorted(manifest.known(name, "alembic_version"))[0]
        Warehouse(dsns[name], STATEMENTS).execute("INSERT INTO alembic_version VALUES (%(r)s)", {"r": revision})
    for path, content in (FILES | BESIDE).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return Places(dsns, places.folders, places.fernet_key)


def contents(places: Places) -> dict[str, list[Any]]:
    """Every row of every table, by database, schema and table."""
    found = {}
    for name, dsn in places.databases.items():
        warehouse = Warehouse(dsn, STATEMENTS)
        for row in warehouse.rows(warehouse.statement("backup/tables")):
            table = row["schema_name"], row["table_name"]
            query = sql.SQL("SELECT row_to_json(t)::text AS line FROM {table} AS t ORDER BY 1")
            lines = warehouse.rows(query.format(table=sql.Identifier(*table)))
            found[".".join((name, *table))] = [line["line"] for line in lines]
    return found


def files(root: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def is_refused(dsn: str, statement: str) -> bool:
    """Whether a database refuses a statement."""
    try:
        Warehouse(dsn, STATEMENTS).execute(statement)
    except psycopg2.Error:
        return True
    return False


class Silent:
    """Shows nothing, remembers what it was told, and does something when it is told what it waits for.

    Attributes:
        said: Every line.
        at: Beginning of a line -> what is done once when such a one comes.
    """

    def __init__(self) -> None:
        self.said: list[str] = []
        self.at: dict[str, Callable[[], object]] = {}

    def say(self, line: str) -> None:
        """Take a line."""
        self.said.append(line)
        for beginning in [found for found in self.at if line.startswith(found)]:
            self.at.pop(beginning)()

    @contextmanager
    def working(self, line: str) -> Iterator[Callable[[str], None]]:
        """Take a line, and others until the block ends."""
        self.say(line)
        yield self.say
