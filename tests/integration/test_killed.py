"""Whatever is killed, the run ends well or fails with a mail, and nothing is left half done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from local.runs import Run
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from tests.live import LiveStack


def task_process(live: LiveStack, task_id: str, run_id: str, seconds: float = 90) -> psutil.Process:
    """The process that executes a task, as soon as there is one."""
    airflow = Warehouse(live.addresses.database("airflow"), live.warehouse.statements)
    running = "SELECT pid FROM task_instance WHERE run_id = %(run)s AND task_id = %(task)s AND state = 'running'"
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for row in airflow.rows(running, {"run": run_id, "task": task_id}):
            return psutil.Process(row["pid"])
        time.sleep(0.05)
    raise AssertionError(f"{task_id} of {run_id} has no process")


def until(look: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until a look sees it."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it was not seen in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def served(live: LiveStack, housing: UseCase) -> int:
    """The version that serves; the first is made here when no other test has made one."""
    version = live.champion("housing")
    if version is None:
        live.run("housing_ingest")
        version = int(live.promote("housing", trials=6)[1]["version"])
    return version


def test_a_killed_ingestion_leaves_one_whole_batch(live: LiveStack, served: int, tmp_path: Path) -> None:
    uri = "sample:housing?rows=9000&seed=4711"
    run = live.start("housing_ingest", source=uri, reason="killed on the way")

    task_process(live, "land_batch", run.run_id).kill()
    ended = live.finish(run)

    assert ended.state == "success"
    batches = live.warehouse.rows("SELECT * FROM ingest.batches WHERE source_uri = %(uri)s", {"uri": uri})
    assert [(b["status"], b["rows"]) for b in batches] == [("accepted", 9000)]
    [counted] = live.warehouse.rows(
        "SELECT count(*) AS rows FROM landing.housing WHERE _batch_id = %(id)s", {"id": batches[0]["batch_id"]}
    )
    assert counted["rows"] + batches[0]["quarantined"] == 9000


@pytest.mark.soak
def test_a_killed_search_goes_on_with_the_trials_it_has(live: LiveStack, served: int) -> None:
    live.run("housing_ingest", source="sample:housing?rows=9000&seed=4712")
    studies = Warehouse(live.addresses.database("optuna"), live.warehouse.statements)
    finished = "SELECT number, datetime_complete FROM trials JOIN studies USING (study_id) WHERE study_name LIKE %(s)s"
    finished += " AND trials.state IN ('COMPLETE', 'PRUNED')"
    run = live.start("housing_train", trials=6, reason="killed on the way")
    search = task_process(live, "search", run.run_id)
    [snapshot] = live.warehouse.rows("SELECT snapshot_id FROM ml.snapshots ORDER BY created_at DESC LIMIT 1")
    study = {"s": f"housing:{snapshot['snapshot_id']}:%"}
    until(lambda: len(studies.rows(finished, study)) >= 2)

    search.kill()
    kept = studies.rows(finished, study)
    ended = live.finish(run)

    after = studies.rows(finished, study)
    assert ended.state == "success"
    assert len(after) == 6
    assert [row for row in kept if row not in after] == []
    promotion = live.finish(live.airflow.started_by(ended, "housing_promote"))
    assert promotion.state == "success"


def test_a_killed_endpoint_comes_back_with_its_champion(live: LiveStack, served: int, housing: UseCase) -> None:
    champion = live.champion("housing")
    process = live.stack.supervisor.processes()["serving-housing"]

    for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        child.kill()

    until(lambda: _answers(live, housing) == champion)


@pytest.mark.parametrize(
    "program",
    [
        "scheduler",
        *(
            pytest.param(other, marks=pytest.mark.soak)
            for other in ("postgres", "mlflow", "dag-processor", "api-server", "triggerer")
        ),
    ],
)
def test_a_killed_program_does_not_stop_the_run(live: LiveStack, served: int, program: str) -> None:
    """The run ends well, or fails with a mail; the champion and the batches stay what they were."""
    champion = live.champion("housing")
    batches = live.warehouse.rows("SELECT batch_id, status FROM ingest.batches ORDER BY 1")
    run = live.start("housing_monitor", current="validated", reason=f"{program} is killed")

    os.kill(live.stack.supervisor.processes()[program].pid, signal.SIGKILL)
    ended = live.finish(run)

    if ended.state == "failed":
        until(lambda: _is_told(live, ended))
    until(lambda: live.champion("housing") == champion)
    assert live.warehouse.rows("SELECT batch_id, status FROM ingest.batches ORDER BY 1") == batches


def _answers(live: LiveStack, housing: UseCase) -> int | None:
    try:
        return int(live.predict("housing", dict(housing.serving.example))["model_version"])
    except httpx.HTTPError:
        return None


def _is_told(live: LiveStack, run: Run) -> bool:
    """Whether people got a mail of a run, or of an earlier one with the same cause."""
    told = "SELECT 1 FROM monitoring.incidents WHERE occasion = %(occasion)s AND mailed_at IS NOT NULL"
    return bool(live.warehouse.rows(told, {"occasion": f"{run.dag_id}/{run.run_id}"}))
