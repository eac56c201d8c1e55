"""A restore brings everything back, or changes nothing and says why."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest
from rich.console import Console

from local import backup, copies, manifest, restore
from local.errors import StackError
from local.manifest import Manifest
from local.places import Places
from local.summary import Part
from sluice.adapters.warehouse import Warehouse
from tests.conftest import STATEMENTS, Server
from tests.unit.local import stacks
from tests.unit.local.stacks import FILES, Silent

DUMP = "databases/warehouse.dump"


@dataclass(frozen=True)
class Again:
    """A stack that was restored."""

    root: Path
    places: Places
    made: Manifest
    parts: list[Part]


@pytest.fixture(scope="module")
def stack(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A stack with a champion that was asked."""
    return stacks.filled(postgres_server, tmp_path_factory.mktemp("stack"))


@pytest.fixture(scope="module")
def whole(stack: Places, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of it."""
    target = tmp_path_factory.mktemp("backups") / "whole"
    backup.take(stack, target, Silent())
    return target


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of the backup, to be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / "copy"))


@pytest.fixture
def other(postgres_server: Server, tmp_path: Path) -> Places:
    """A stack that was never started, with its files below `other`."""
    return stacks.empty(postgres_server, tmp_path / "other")


@pytest.fixture(scope="module")
def untouched(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A stack that was never started, and into which nothing is ever restored."""
    return stacks.empty(postgres_server, tmp_path_factory.mktemp("untouched") / "stack")


@pytest.fixture(scope="module")
def again(postgres_server: Server, whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Again:
    """An empty stack that the backup was brought into."""
    root = tmp_path_factory.mktemp("again")
    places = stacks.empty(postgres_server, root)
    return Again(root, places, *restore.restore(whole, places, False, Silent()))


def test_an_empty_stack_becomes_the_one_that_was_backed_up(whole: Path, stack: Places, again: Again) -> None:
    assert stacks.contents(again.places) == stacks.contents(stack)
    assert stacks.files(again.root) == FILES
    assert again.made == manifest.read(whole)
    assert {part.name for part in again.parts} == {*stack.databases, "store", "artifacts", "bentos", "keys"}


def test_keys_stay_private(again: Again) -> None:
    assert (again.root / "keys" / "api-keys.jsonl").stat().st_mode & 0o777 == 0o600


def test_what_comes_back_is_held_to_what_held_before(again: Again) -> None:
    warehouse, airflow = again.places.databases["warehouse"], again.places.databases["airflow"]

    assert stacks.is_refused(warehouse, "DELETE FROM ml.deployments")
    assert stacks.is_refused(warehouse, "INSERT INTO ml.releases SELECT * FROM ml.releases")
    assert stacks.is_refused(airflow, "UPDATE dag_run SET state = 'lost'")
    [run] = Warehouse(airflow, STATEMENTS).rows(
        "INSERT INTO dag_run (dag_id, state) VALUES ('rents_train', 'queued') RETURNING id"
    )
    assert run == {"id": 301}
    [seen] = Warehouse(warehouse, STATEMENTS).rows("SELECT count(*), sum(prediction) FROM serving.predictions")
    assert seen == {"count": 400, "sum": pytest.approx(sum(n / 3 for n in range(1, 401)))}


def test_each_databases_owner_can_do_it_all(
    whole: Path, stack: Places, postgres_server: Server, tmp_path: Path
) -> None:
    places = stacks.owned(postgres_server, tmp_path / "owned")

    for force in (False, True):
        restore.restore(whole, places, force, Silent())
        assert stacks.contents(places) == stacks.contents(stack)
    made, _ = backup.take(places, tmp_path / "again", Silent())
    assert made.databases == manifest.read(whole).databases


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def edited(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        document = json.loads((folder / manifest.NAME).read_text())
        change(document)
        (folder / manifest.NAME).write_text(json.dumps(document))
        (folder / manifest.SEAL).write_text(f"{copies.digest(folder / manifest.NAME)}  {manifest.NAME}\n")

    return edit


def revised(database: str, table: str) -> Callable[[dict[str, object]], None]:
    def change(document: dict[str, object]) -> None:
        document["databases"][database]["revisions"][table] = ["9999_from_tomorrow"]  # type: ignore[index]

    return change


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "one bit of a dump": (lambda f: flipped(f / DUMP), "damaged: databases/warehouse.dump was changed"),
    "one bit of a model": (lambda f: flipped(f / "files/store/releases/rents/3/model.onnx"), "model.onnx was changed"),
    "a dump was cut short": (lambda f: os.truncate(f / DUMP, 9000), "warehouse.dump was changed"),
    "a dump is missing": (lambda f: (f / DUMP).unlink(), "databases/warehouse.dump is missing"),
    "a file is missing": (lambda f: (f / "files/store/snapshots/rents/s1.parquet").unlink(), "s1.parquet is missing"),
    "one bit of the manifest": (lambda f: flipped(f / manifest.NAME), "its manifest is not the one that was sealed"),
    "no manifest": (lambda f: (f / manifest.NAME).unlink(), "this is no whole backup: manifest.json: No such file"),
    "no seal": (lambda f: (f / manifest.SEAL).unlink(), "this is no whole backup: manifest.json.sha256"),
    "no folder": (shutil.rmtree, "this is no whole backup"),
    "another format": (edited(lambda d: d.update(format=2)), "of a format that is not known here"),
    "a newer server": (edited(lambda d: d.update(server=99)), "of PostgreSQL 99, and the server here is 18"),
    "programs that are not here": (edited(lambda d: d.update(programs=99)), "this needs PostgreSQL 99's programs"),
    "a newer warehouse": (edited(revised("warehouse", "_yoyo_migration")), "does not know its migrations 9999_from"),
    "a newer Airflow": (edited(revised("airflow", "alembic_version")), "backup's airflow database is newer"),
    "a newer MLflow": (edited(revised("mlflow", "alembic_version")), "does not know its revision 9999_from_tomorrow"),
    "a newer Optuna": (edited(revised("optuna", "alembic_version")), "backup's optuna database is newer"),
    "tables of somebody unknown": (edited(revised("airflow", "alembic_version_other")), "airflow database is newer"),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILT.values(), ids=SPOILT)
def test_a_backup_that_cannot_be_trusted_is_refused_before_anything_is_touched(
    copy: Path, untouched: Places, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(copy)

    for force in (False, True):
        with pytest.raises(StackError, match=reason):
            restore.restore(copy, untouched, force, Silent())

    assert stacks.contents(untouched) == {}
    assert not Path(untouched.folder("artifacts").root).parent.exists()


def test_a_stack_that_is_in_use_is_refused(whole: Path, untouched: Places) -> None:
    for force in (False, True):
        with (
            closing(psycopg2.connect(untouched.databases["mlflow"])),
            pytest.raises(StackError, match=r"in use by sluice \(1\); the stack is as it was"),
        ):
            restore.restore(whole, untouched, force, Silent())
    assert stacks.contents(untouched) == {}


def used(places: Places, root: Path) -> None:
    """Let a stack have something of its own."""
    warehouse = Warehouse(places.databases["warehouse"], STATEMENTS)
    warehouse.execute("CREATE SCHEMA ml; CREATE TABLE ml.old (a int); INSERT INTO ml.old VALUES (7)")
    Warehouse(places.databases["mlflow"], STATEMENTS).execute("CREATE TABLE trials (a int)")
    (root / "store" / "releases" / "rents").mkdir(parents=True)
    (root / "store" / "releases" / "rents" / "champion.json").write_text('{"version": 9}')
    (root / "store" / "other").write_text("mine")


def test_a_stack_that_is_not_empty_is_refused(whole: Path, other: Places, tmp_path: Path) -> None:
    used(other, tmp_path / "other")
    before = stacks.contents(other), stacks.files(tmp_path / "other")

    with pytest.raises(
        StackError, match="the database warehouse with 1 tables, the database mlflow with 1 tables, 2 files"
    ):
        restore.restore(whole, other, False, Silent())

    assert (stacks.contents(other), stacks.files(tmp_path / "other")) == before


def test_with_force_what_it_holds_is_replaced(whole: Path, stack: Places, other: Places, tmp_path: Path) -> None:
    used(other, tmp_path / "other")

    _, parts = restore.restore(whole, other, True, Silent())

    assert stacks.contents(other) == stacks.contents(stack)
    assert stacks.files(tmp_path / "other") == FILES | {"store/other": b"mine"}
    assert "3 files, 1 replaced, 1 others beside them" in {part.holds for part in parts}


def fails_late(document: dict[str, object]) -> None:
    """What is restored last has another number of rows than the manifest says."""
    held = document["databases"]["optuna"]  # type: ignore[index]
    held["rows"] = [[schema, table, rows + 1] for schema, table, rows in held["rows"]]


@pytest.mark.parametrize("is_used", [False, True], ids=["empty", "used"])
def test_what_fails_late_leaves_the_stack_as_it_was(copy: Path, other: Places, tmp_path: Path, is_used: bool) -> None:
    if is_used:
        used(other, tmp_path / "other")
    before = stacks.contents(other), stacks.files(tmp_path / "other")
    edited(fails_late)(copy)

    with pytest.raises(StackError, match=r"has 1 rows instead of 2; the stack is as it was"):
        restore.restore(copy, other, is_used, Silent())

    assert (stacks.contents(other), stacks.files(tmp_path / "other")) == before


def test_a_dump_that_the_database_refuses_leaves_the_stack_as_it_was(copy: Path, untouched: Places) -> None:
    # It is sealed and read well, and is found to be another one only where it is used.
    shutil.copy(copy / "databases" / "mlflow.dump", copy / "databases" / "optuna.dump")

    def change(document: dict[str, object]) -> None:
        for file in document["files"]:  # type: ignore[attr-defined]
            path = copy / file["path"]
            file.update(bytes=path.stat().st_size, sha256=copies.digest(path))

    edited(change)(copy)

    with pytest.raises(StackError, match=r'relation "public.trials" does not exist.*; the stack is as it was'):
        restore.restore(copy, untouched, False, Silent())

    assert stacks.contents(untouched) == {}
    assert stacks.files(Path(untouched.folder("artifacts").root).parent) == {}


def test_a_file_that_cannot_be_written_leaves_the_stack_as_it_was(
    whole: Path, untouched: Places, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    store, artifacts, *rest = untouched.folders
    blocked = replace(untouched, folders=(store, replace(artifacts, root=str(tmp_path / "file" / "artifacts")), *rest))

    with pytest.raises(StackError, match=r"a file cannot be written: Not a directory; the stack is as it was"):
        restore.restore(whole, blocked, False, Silent())

    assert stacks.contents(untouched) == {}
    assert stacks.files(Path(untouched.folder("artifacts").root).parent) == {}


def test_one_that_was_killed_is_simply_done_again(whole: Path, stack: Places, other: Places, tmp_path: Path) -> None:
    # What it leaves: files, which nothing names yet.
    target = tmp_path / "other" / "store" / "snapshots" / "rents" / "s1.parquet"
    target.parent.mkdir(parents=True)
    target.write_bytes(FILES["store/snapshots/rents/s1.parquet"])

    _, parts = restore.restore(whole, other, False, Silent())

    assert stacks.contents(other) == stacks.contents(stack)
    assert "3 files, 1 there already" in {part.holds for part in parts}


def test_files_come_back_into_a_bucket(whole: Path, stack: Places, other: Places, bucket: str, s3) -> None:
    store, *rest = other.folders
    places = replace(other, folders=(replace(store, root=bucket), *rest))

    restore.restore(whole, places, False, Silent())

    assert sorted(s3.keys(bucket)) == sorted(k.removeprefix("store/") for k in FILES if k.startswith("store/"))
    assert stacks.contents(other) == stacks.contents(stack)
    with pytest.raises(StackError, match="the stack is not empty"):
        restore.restore(whole, places, False, Silent())


@pytest.mark.parametrize(("key", "is_told"), [("another", True), (stacks.FERNET_KEY, False)], ids=["another", "same"])
def test_it_says_when_connections_need_another_key(
    whole: Path, stack: Places, capsys: pytest.CaptureFixture[str], key: str, is_told: bool
) -> None:
    restore.tell(Console(), manifest.read(whole), [], replace(stack, fernet_key=key))

    assert ("encrypted with another Fernet key" in capsys.readouterr().out) is is_told


def test_the_manifest_is_read_as_it_was_written(whole: Path) -> None:
    made: Manifest = manifest.read(whole)

    assert made.of("keys").keys() == {"api-keys.jsonl"}
    assert made.databases["warehouse"].rows["ml", "releases"] == 1
    assert set(made.databases["warehouse"].revisions["_yoyo_migration"]) == manifest.known("warehouse", manifest.OWN)
    assert (made.server, made.programs) == (18, 18)
