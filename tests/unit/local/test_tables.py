"""Tables of older versions come forward in order, with what they hold; a step that fails is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from local import manifest
from local.places import DATABASES
from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from tests.conftest import REPOSITORY, STATEMENTS, Server

NUMBERED = sorted((STATEMENTS / "migrations").glob("*.sql"))
HELD = 3
"""How many of them the old warehouse has."""
#: Fills an empty database as an MLflow of two years ago would have.
MLFLOW_OF_OLD = """
import os
import sqlalchemy
from alembic import command
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base
engine = sqlalchemy.create_engine(os.environ["MLFLOW_BACKEND_STORE_URI"])
Base.metadata.create_all(engine)
with engine.begin() as connection:
    config = utils._get_alembic_config(os.environ["MLFLOW_BACKEND_STORE_URI"])
    config.attributes["connection"] = connection
    command.upgrade(config, "acf3f17fdcc7")
"""
AIRFLOW_OF_OLD = "3.2.0"


def run(variables: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a container would."""
    own = {"PYTHONPATH": f"{REPOSITORY / 'include'}{os.pathsep}{REPOSITORY / 'plugins'}", "PATH": os.environ["PATH"]}
    return subprocess.run(
        (sys.executable, *arguments), env=own | variables, capture_output=True, text=True, check=False, timeout=240
    )


def stamped(dsn: str) -> set[str]:
    """The revision that a database has."""
    return {row["version_num"] for row in Warehouse(dsn, STATEMENTS).rows("SELECT version_num FROM alembic_version")}


@pytest.fixture(scope="module")
def old(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a stack whose databases are of older versions, each with something in it."""
    folder = tmp_path_factory.mktemp("old")
    dsns = {name: postgres_server.create(f"old_{name}") for name in ("airflow", "mlflow", "warehouse")}
    variables = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
    } | {DATABASES[name]: dsn.replace("postgresql:", "postgresql+psycopg2:") for name, dsn in dsns.items()}
    variables[DATABASES["warehouse"]] = dsns["warehouse"]
    airflow = run(variables, "-m", "airflow", "db", "migrate", "--to-version", AIRFLOW_OF_OLD)
    assert airflow.returncode == 0, airflow.stderr
    mlflow = run(variables, "-c", MLFLOW_OF_OLD)
    assert mlflow.returncode == 0, mlflow.stderr
    older = Path(folder / "migrations")
    older.mkdir()
    for path in NUMBERED[:HELD]:
        shutil.copy(path, older)
    migrate(dsns["warehouse"], older)
    held = {
        "airflow": "INSERT INTO variable (key, val, is_encrypted) VALUES ('kept', 'yes', FALSE)",
        "mlflow": "INSERT INTO experiments (name, artifact_location, lifecycle_stage) VALUES ('kept', 'x', 'active')",
        "warehouse": "INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows) "
        " VALUES ('kept', 'u', 's', 1, 1)",
    }
    for name, statement in held.items():
        Warehouse(dsns[name], STATEMENTS).execute(statement)
    return variables | {f"DSN_{name}": dsn for name, dsn in dsns.items()}


def test_all_come_forward_in_order_with_what_they_hold_and_again_changes_nothing(old: dict[str, str]) -> None:
    before = {name: stamped(old[f"DSN_{name}"]) for name in ("airflow", "mlflow")}

    done = run(old, "-m", "local.tables")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Airflow's tables are up to date",
        "MLflow's tables are up to date",
        f"the warehouse's tables are up to date ({len(NUMBERED) - HELD} migrations)",
    ]
    kept = {
        "airflow": "SELECT key AS name FROM variable",
        "mlflow": "SELECT name FROM experiments",
        "warehouse": "SELECT use_case AS name FROM ingest.batches",
    }
    for name, query in kept.items():
        assert Warehouse(old[f"DSN_{name}"], STATEMENTS).rows(query) == [{"name": "kept"}]
    after = {name: stamped(old[f"DSN_{name}"]) for name in before}
    assert not [name for name in before if before[name] == after[name]]
    assert not [name for name in after if not after[name] <= manifest.known(name, "alembic_version")]
    again = run(old, "-m", "local.tables")
    assert again.stdout.splitlines()[-1] == "the warehouse's tables are up to date (there was nothing to do)"


def test_a_step_that_fails_is_named_and_those_after_it_are_not_begun(old: dict[str, str]) -> None:
    registry = Warehouse(old["DSN_mlflow"], STATEMENTS)
    [revision] = stamped(old["DSN_mlflow"])
    registry.execute("UPDATE alembic_version SET version_num = 'from_tomorrow'")
    try:
        done = run(old, "-m", "local.tables")
    finally:
        registry.execute("UPDATE alembic_version SET version_num = %(revision)s", {"revision": revision})

    assert done.returncode != 0
    assert done.stdout.splitlines() == ["Airflow's tables are up to date"]
    assert "MLflow's tables cannot be brought up to date" in done.stderr
    assert "from_tomorrow" in done.stderr
    assert old["DSN_mlflow"].split(":")[2].split("@")[0] not in done.stderr


def test_it_must_be_said_where_the_databases_are() -> None:
    done = run({}, "-m", "local.tables")

    assert done.returncode != 0
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN, MLFLOW_BACKEND_STORE_URI, SLUICE_WAREHOUSE_DSN" in done.stderr
