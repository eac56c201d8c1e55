"""A backup of the working stack, brought into an empty one: the same champion, the same answers, the same history."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import credentials, environment, health, manifest, ports, postgres, programs
from local.addresses import Addresses
from local.ports import expected, free_port
from local.programs import Program
from local.runs import Airflow
from local.stack import Stack, use_cases
from local.state import State
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.release.ledger import moves
from tests.bentos.servers import eventually
from tests.live import REPOSITORY, STATEMENTS, LiveStack

# A stack beside the others, for minutes; tests/unit/local has what can be asked without one.
pytestmark = pytest.mark.soak

ROWS = 50
#: What tells how it came to what serves, and what was asked of it.
HISTORY = ("ingest.batches", "ml.snapshots", "ml.decisions", "ml.releases", "ml.deployments", "monitoring.reports")


@dataclass(frozen=True)
class Before:
    """The stack as it was when it was backed up."""

    version: int
    rows: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    history: dict[str, list[dict[str, Any]]]
    backup: Path


def make(state: State, target: str, *variables: str) -> subprocess.CompletedProcess[str]:
    """Run a target of the Makefile on a stack."""
    spared = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        ["make", "--no-print-directory", target, *variables],
        cwd=REPOSITORY,
        env=spared | {"SLUICE_VAR": str(state.root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def ask(url: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The endpoint's predictions, without what differs from one answer to the next."""
    answer = httpx.post(f"{url}/api/v1/predict", json={"instances": rows}, timeout=30, trust_env=False)
    content = answer.raise_for_status().json()
    return [
        {name: value for name, value in row.items() if name != "prediction_id"} | {"version": content["model_version"]}
        for row in content["predictions"]
    ]


def history(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    """Every row of what is told later."""
    return {table: warehouse.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in HISTORY}  # noqa: S608


@pytest.fixture(scope="module")
def before(live: LiveStack, housing: UseCase, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """A champion of housing that was asked, and a backup of the stack, which works on."""
    if live.champion("housing") is None:
        live.run("housing_ingest")
        live.promote("housing", trials=4)
    version = live.champion("housing")
    example = housing.serving.example
    rows = [example | {"median_income": 1 + n / 7, "housing_median_age": 1 + n} for n in range(ROWS)]
    answers = ask(live.addresses.serving("housing"), rows)
    logged = "SELECT coalesce(sum(size), 0) AS number FROM serving.answers WHERE use_case = 'housing'"
    eventually(lambda: live.warehouse.rows(logged)[0]["number"] >= ROWS)
    told = history(live.warehouse)
    target = tmp_path_factory.mktemp("backups") / "of today"
    done = make(live.state, "backup", f"OUT={target}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "it was read again, and is whole" in done.stdout
    assert version is not None
    return Before(version, rows, answers, told, target)


@pytest.fixture
def empty(tmp_path: Path) -> State:
    """Where there was never a stack."""
    return State(tmp_path / "another stack")


@contextmanager
def served(state: State) -> Iterator[tuple[Addresses, Warehouse]]:
    """What of a stack answers predictions: its databases, its registry, its model server."""
    with Stack(state).databases(alone=True) as found:
        chosen = {name: free_port() for name in expected(("housing",))} | found.ports
        addresses = Addresses(chosen, found.credentials, ("housing",))
        listed = programs.programs(state, addresses, postgres.locate(state.postgres))
        wanted = [next(program for program in listed if program.name == name) for name in ("mlflow", "serving-housing")]
        running = []
        try:
            for program in wanted:
                running.append(started(state, program))
                eventually(lambda: program.check(0).ok, within=180)  # noqa: B023
            eventually(lambda: health.page(f"{addresses.serving('housing')}/readyz").ok, within=120)
            yield addresses, Warehouse(addresses.database("warehouse"), STATEMENTS)
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait(60)


def started(state: State, program: Program) -> subprocess.Popen[bytes]:
    """One program of a stack, as its supervisor would start it."""
    own = dict(program.environment) | ({"PYTHONPATH": program.python_path} if program.python_path else {})
    with (state.log / f"{program.name}.log").open("wb") as log:
        return subprocess.Popen(
            program.command,
            env=environment.inherited(os.environ) | environment.common(state) | own,
            cwd=state.workplace,
            stdout=log,
            stderr=log,
        )


def test_an_empty_stack_serves_the_same_champion_with_the_same_predictions(
    before: Before, empty: State, live: LiveStack
) -> None:
    begun = time.monotonic()
    done = make(empty, "restore", f"FROM={before.backup}")
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"restored in {time.monotonic() - begun:.1f} s\n{done.stdout}")

    with served(empty) as (addresses, warehouse):
        assert ask(addresses.serving("housing"), before.rows) == before.answers
        assert {answer["version"] for answer in before.answers} == {before.version}
        registry = Tracking(addresses.mlflow)
        champion = registry.aliased("housing", "champion")
        assert champion is not None
        assert champion.number == before.version
        assert champion.tags == live.tracking.version("housing", before.version).tags
        assert history(warehouse) == before.history
        assert moves(warehouse, "housing", 100) == moves(live.warehouse, "housing", 100)
        logged = "SELECT prediction FROM serving.predictions WHERE use_case = 'housing'"
        assert {row["prediction"] for row in before.answers} <= {row["prediction"] for row in warehouse.rows(logged)}
        for release in before.history["ml.releases"]:
            key = f"releases/{release['use_case']}/{release['version']}/manifest.json"
            assert ObjectStore(f"file://{empty.store}").sha256(key) == release["bundle_sha256"]
    once_more = make(empty, "backup", f"OUT={empty.root.parent / 'once more'}")
    assert once_more.returncode == 0, once_more.stdout + once_more.stderr
    first, second = (manifest.read(folder) for folder in (before.backup, empty.root.parent / "once more"))
    assert second.databases["airflow"].rows == first.databases["airflow"].rows
    assert second.of("artifacts") == first.of("artifacts")


def test_a_stack_that_came_back_is_upgraded_and_goes_on(before: Before, empty: State) -> None:
    assert make(empty, "restore", f"FROM={before.backup}").returncode == 0
    ports.remember(empty, ports.Choice({name: free_port() for name in expected(use_cases())}))
    stack = Stack(empty)
    try:
        done = make(empty, "upgrade", f"OUT={empty.root.parent / 'before the upgrade'}")
        assert done.returncode == 0, done.stdout + done.stderr
        again = make(empty, "up")
        assert "the stack is up already" in again.stdout
        addresses = Addresses(ports.remembered(empty, use_cases()), credentials.load(empty), use_cases())
        with Airflow(addresses.airflow, "admin", addresses.credentials.admin) as airflow:
            decided = before.history["ml.decisions"][-1]
            assert airflow.run(f"{decided['use_case']}_promote", decided["dag_run_id"]).state == "success"
            airflow.await_dag("housing_train")
            *_, last = airflow.follow(airflow.trigger("housing_train", "after-the-upgrade", {"trials": 4}))
            assert last.run.state == "success"
        assert ask(addresses.serving("housing"), before.rows) == before.answers
    finally:
        stack.down(print)


def test_a_damaged_backup_is_refused_and_leaves_no_stack(before: Before, empty: State, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(before.backup, tmp_path / "damaged"))
    model = next(path for path in manifest.read(damaged).of("store") if path.endswith("model.onnx"))
    content = bytearray((damaged / "files" / "store" / model).read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / "files" / "store" / model).write_bytes(content)

    done = make(empty, "restore", f"FROM={damaged}")

    assert done.returncode != 0
    assert "the backup is damaged" in done.stderr
    assert "model.onnx was changed" in done.stderr
    assert not empty.store.exists() or not list(empty.store.rglob("*.onnx"))


def test_a_stack_that_works_is_not_restored_over(before: Before, live: LiveStack) -> None:
    done = make(live.state, "restore", f"FROM={before.backup}", "FORCE=1")

    assert done.returncode != 0
    assert "the stack is up" in done.stderr
    assert live.champion("housing") == before.version
