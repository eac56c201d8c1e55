"""A backup is of one moment, whole, and without a secret; an attempt that fails leaves none."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import psycopg2
import pytest

from local import backup, dumps, manifest, restore
from local.copies import File, Tree
from local.errors import StackError
from local.places import Folder, Places, of_environment
from sluice.adapters.removals import removing
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import TransientError
from tests.bentos.servers import eventually
from tests.conftest import PASSWORD, STATEMENTS, Server
from tests.unit.local import stacks
from tests.unit.local.stacks import FILES, Silent


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def stack(postgres_server: Server, root: Path) -> Places:
    """A stack with a champion that was asked."""
    return stacks.filled(postgres_server, root)


def begun(places: Places, target: Path) -> threading.Thread:
    """A backup that is taken by the side."""
    thread = threading.Thread(target=backup.take, args=(places, target, Silent()))
    thread.start()
    return thread


def waiting(places: Places) -> int:
    """How many wait for somebody's end."""
    query = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    return len(Warehouse(places.databases["warehouse"], STATEMENTS).rows(query))


def test_it_holds_every_row_and_every_file(stack: Places, tmp_path: Path) -> None:
    made, parts = backup.take(stack, tmp_path / "b", Silent())

    counted = {f"{name}.{'.'.join(t)}": rows for name, held in made.databases.items() for t, rows in held.rows.items()}
    assert counted == {table: len(rows) for table, rows in stacks.contents(stack).items()}
    assert stacks.files(tmp_path / "b" / "files") == FILES
    assert [part.name for part in parts] == [*stack.databases, "store", "artifacts", "bentos", "keys"]
    assert manifest.verify(tmp_path / "b", lambda *_: None) == made


def test_its_seal_can_be_checked_without_sluice(stack: Places, tmp_path: Path) -> None:
    backup.take(stack, tmp_path / "b", Silent())

    subprocess.run(("sha256sum", "--check", "--strict", manifest.SEAL), cwd=tmp_path / "b", check=True)


def test_nobody_else_may_read_it(stack: Places, tmp_path: Path) -> None:
    backup.take(stack, tmp_path / "b", Silent())

    assert (tmp_path / "b").stat().st_mode & 0o077 == 0


def test_no_secret_is_in_it_in_clear(stack: Places, tmp_path: Path) -> None:
    made, _ = backup.take(stack, tmp_path / "b", Silent())

    secrets = [word.encode() for word in (PASSWORD, stacks.FERNET_KEY, stacks.API_KEY)]
    for path, content in stacks.files(tmp_path / "b").items():
        assert not [word for word in secrets if word in content], path
    assert made.encrypted == 1
    assert made.fingerprints == stack.fingerprints


def test_what_a_row_names_is_there_though_both_are_written_meanwhile(postgres_server: Server, tmp_path: Path) -> None:
    stack, root = stacks.filled(postgres_server, tmp_path / "stack"), tmp_path / "stack"
    warehouse = Warehouse(stack.databases["warehouse"], STATEMENTS)
    stop = threading.Event()

    def work() -> None:
        number = 10
        while not stop.is_set():
            number += 1
            # As a release is published: its files first.
            target = root / "store" / "releases" / "rents" / str(number)
            target.mkdir(parents=True)
            (target / "model.onnx").write_bytes(b"graph")
            warehouse.execute(
                "INSERT INTO ml.releases VALUES ('rents', %(n)s, 'c', 'd', 'r', 's1', 'b', 'u')", {"n": number}
            )

    worker = threading.Thread(target=work)
    worker.start()
    try:
        eventually(lambda: warehouse.rows("SELECT 1 FROM ml.releases WHERE version > 20"))
        backup.take(stack, tmp_path / "b", Silent())
    finally:
        stop.set()
        worker.join()
    other = stacks.empty(postgres_server, tmp_path / "other")
    restore.restore(tmp_path / "b", other, False, Silent())

    named = Warehouse(other.databases["warehouse"], STATEMENTS).rows("SELECT version FROM ml.releases")
    assert len(named) > 10
    kept = stacks.files(tmp_path / "other")
    assert all(f"store/releases/rents/{row['version']}/model.onnx" in kept for row in named)


def test_nothing_is_being_deployed_at_its_moment(postgres_server: Server, tmp_path: Path) -> None:
    stack, root = stacks.filled(postgres_server, tmp_path / "stack"), tmp_path / "stack"
    pointer = root / "store" / "releases" / "rents" / "champion.json"
    warehouse, registry = (psycopg2.connect(stack.databases[name]) for name in ("warehouse", "mlflow"))
    with closing(warehouse), closing(registry), warehouse.cursor() as ledger, registry.cursor() as aliases:
        ledger.execute("SELECT pg_advisory_xact_lock(hashtext('sluice.deploy.rents'))")
        ledger.execute("INSERT INTO ml.deployments (use_case, to_version, actor, reason) VALUES ('rents', 2, 'a', 'b')")
        thread = begun(stack, tmp_path / "b")
        eventually(lambda: not thread.is_alive() or waiting(stack))
        # The alias moves first, then the copy of it; the ledger's row is seen last.
        aliases.execute("UPDATE registered_model_aliases SET version = 2")
        registry.commit()
        pointer.write_text('{"version": 2}')
        assert thread.is_alive()
        warehouse.commit()
    thread.join(60)

    made = manifest.read(tmp_path / "b")
    assert made.databases["warehouse"].rows["ml", "deployments"] == 2
    assert json.loads((tmp_path / "b/files/store/releases/rents/champion.json").read_text()) == {"version": 2}
    assert "rents\tchampion\t2" in dumped(tmp_path / "b", "mlflow")


def dumped(folder: Path, name: str) -> str:
    """A dump as text."""
    command = dumps.programs(18).command("pg_restore", "--file=-", str(folder / "databases" / f"{name}.dump"))
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_it_waits_for_a_removal_that_has_begun(stack: Places, tmp_path: Path) -> None:
    with removing(Warehouse(stack.databases["warehouse"], STATEMENTS)):
        thread = begun(stack, tmp_path / "b")
        eventually(lambda: waiting(stack))
        assert thread.is_alive()
    thread.join(60)

    assert manifest.read(tmp_path / "b").gone == ()


def test_a_removal_waits_until_it_is_done(stack: Places, root: Path, tmp_path: Path) -> None:
    seen: list[str] = []
    warehouse = Warehouse(stack.databases["warehouse"], STATEMENTS)
    show = Silent()

    def remove() -> None:
        with removing(warehouse):
            seen.append(show.said[-1])

    remover = threading.Thread(target=remove)

    def come() -> None:
        remover.start()
        eventually(lambda: seen or waiting(stack))

    show.at["copying store: 1 of"] = come
    backup.take(stack, tmp_path / "b", show)
    remover.join(30)

    # Its last file is the one of the keys.
    assert seen[0].startswith(("copying keys: 1 of 1", "reading it again"))


def test_an_attempt_that_fails_leaves_none(stack: Places, tmp_path: Path) -> None:
    gone = dict(stack.databases) | {"optuna": stack.databases["optuna"] + "_gone"}

    with pytest.raises(TransientError, match="_gone"):
        backup.take(replace(stack, databases=gone), tmp_path / "b", Silent())

    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(stack: Places, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StackError, match="the backup cannot be written: Not a directory"):
        backup.take(stack, tmp_path / "file" / "b", Silent())


def test_one_that_is_there_stays(stack: Places, tmp_path: Path) -> None:
    backup.take(stack, tmp_path / "b", Silent())
    before = stacks.files(tmp_path / "b")

    with pytest.raises(StackError, match="there is something of that name"):
        backup.take(stack, tmp_path / "b", Silent())
    assert stacks.files(tmp_path / "b") == before


def test_what_an_attempt_that_was_killed_left_is_gone_after_the_next(stack: Places, tmp_path: Path) -> None:
    (tmp_path / ".b.partial" / "databases").mkdir(parents=True)

    backup.take(stack, tmp_path / "b", Silent())

    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_file_that_vanishes_meanwhile_is_told_from_one_that_was_copied(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "there").write_bytes(b"bytes")

    copied = dict(Tree(Folder("store", str(tmp_path / "from"))).copy(["gone", "there"], tmp_path / "store", {}))

    assert copied["gone"] is None
    assert copied["there"] == File("store/there", 5, sha256(b"bytes").hexdigest())
    assert stacks.files(tmp_path / "store") == {"there": b"bytes"}


def test_a_bucket_is_copied_as_a_folder_is(stack: Places, bucket: str, tmp_path: Path) -> None:
    from sluice.adapters.objects import ObjectStore

    ObjectStore(bucket).write_bytes("snapshots/rents/s 1.parquet", b"rows")
    store = replace(stack.folder("store"), root=bucket)
    places = replace(stack, folders=(store, *stack.folders[1:]))

    made, _ = backup.take(places, tmp_path / "b", Silent())

    assert [*made.of("store")] == ["snapshots/rents/s 1.parquet"]
    assert (tmp_path / "b/files/store/snapshots/rents/s 1.parquet").read_bytes() == b"rows"


def test_in_containers_the_variables_say_where_everything_is() -> None:
    environment = {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://airflow:a@postgres/airflow",
        "SLUICE_WAREHOUSE_DSN": "postgresql://sluice:b@postgres/warehouse",
        "MLFLOW_BACKEND_STORE_URI": "postgresql+psycopg2://mlflow:c@postgres/mlflow",
        "SLUICE_OPTUNA_DSN": "postgresql://optuna:d@postgres/optuna",
        "SLUICE_OBJECT_STORE": "s3://bucket/store",
        "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/mlflow",
        "SLUICE_API_KEYS": "/sluice/var/api-keys.jsonl",
        "AIRFLOW__CORE__FERNET_KEY": "new,old",
    }

    places = of_environment(environment)

    assert places.databases["airflow"] == "postgresql://airflow:a@postgres/airflow"
    assert (places.folder("artifacts").root, places.folder("keys").root) == ("s3://bucket/mlflow", "/sluice/var")
    assert len(places.fingerprints) == 2
    inside = of_environment(environment | {"MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/store/mlflow"})
    assert [folder.name for folder in inside.folders] == ["store", "bentos", "keys"]
    beside = of_environment(environment | {"MLFLOW_ARTIFACTS_DESTINATION": "file:///var/my%20models"})
    assert beside.folder("artifacts").root == "/var/my models"
    with pytest.raises(StackError, match="SLUICE_OPTUNA_DSN"):
        of_environment(environment | {"SLUICE_OPTUNA_DSN": ""})
