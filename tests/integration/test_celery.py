"""Two workers that share nothing but the databases, the broker and a bucket; whichever ends, the run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from local.runs import Run
from local.workers import SLOTS
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from tests.buckets import S3
from tests.integration.test_killed import until
from tests.live import LiveStack, started

# A third stack beside the two of the other tests takes a small machine beyond what their limits allow.
pytestmark = [pytest.mark.integration, pytest.mark.redis, pytest.mark.soak]

WORKERS = ("worker-1", "worker-2")
TRIALS = 16
FINISHED = ("COMPLETE", "PRUNED")


@dataclass(frozen=True)
class Cluster:
    """A stack whose tasks are run by workers, and the bucket that they share."""

    live: LiveStack
    s3: S3
    store: str

    def process(self, worker: str) -> psutil.Process:
        """A worker's own process."""
        return psutil.Process(self.live.stack.supervisor.processes()[worker].pid)

    def kill(self, worker: str) -> None:
        """End a worker and everything that it has started, at once."""
        process = self.process(worker)
        for each in [process, *process.children(recursive=True)]:
            each.kill()

    def searching(self, run: Run) -> list[str]:
        """The workers that run a search of a run, one entry for each search."""
        query = "SELECT pid FROM task_instance WHERE run_id = %(run)s AND task_id = 'search' AND state = 'running'"
        pids = [row["pid"] for row in self._rows("airflow", query, {"run": run.run_id})]
        found = {name: self._started_by(name) for name in WORKERS}
        return sorted(name for pid in pids for name, own in found.items() if pid in own)

    def _started_by(self, worker: str) -> set[int]:
        try:
            return {child.pid for child in self.process(worker).children(recursive=True)}
        except psutil.NoSuchProcess:
            # It was killed, and is about to be started again.
            return set()

    def searches(self, run: Run) -> list[dict[str, Any]]:
        """How each search of a run ended."""
        query = "SELECT state, try_number FROM task_instance WHERE run_id = %(run)s AND task_id = 'search'"
        return self._rows("airflow", query, {"run": run.run_id})

    def trials(self, *states: str) -> list[dict[str, Any]]:
        """The trials of the newest study in these states, with the place in the budget that each fills."""
        query = """
            SELECT t.number, t.datetime_complete, a.value_json AS place
            FROM trials AS t JOIN trial_user_attributes AS a ON a.trial_id = t.trial_id AND a.key = 'place'
            WHERE t.study_id = (SELECT max(study_id) FROM studies) AND t.state::text = ANY(%(states)s)
            ORDER BY t.number
        """
        return self._rows("optuna", query, {"states": list(states)})

    def _rows(self, database: str, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        return Warehouse(self.live.addresses.database(database), self.live.warehouse.statements).rows(query, values)


@pytest.fixture(scope="module")
def cluster(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers with the housing use case, whose rows are ingested."""
    store = s3.bucket()
    own = {"SLUICE_CELERY_WORKERS": str(len(WORKERS)), "SLUICE_OBJECT_STORE": store, **s3.environment}
    with started(tmp_path_factory, "housing", **own) as live:
        live.run("housing_ingest")
        yield Cluster(live, s3, store)


@dataclass(frozen=True)
class Interrupted:
    """A training in whose search a worker was killed, and did not come back; what was finished until then."""

    run: Run
    finished: list[dict[str, Any]]


@pytest.fixture(scope="module")
def interrupted(cluster: Cluster) -> Interrupted:
    run = cluster.live.start("housing_train", trials=TRIALS, reason="a worker is killed on the way")
    until(lambda: cluster.searching(run) == sorted(WORKERS * SLOTS) and len(cluster.trials(*FINISHED)) >= 3, 240)
    cluster.kill("worker-2")
    finished = cluster.trials(*FINISHED)
    cluster.live.stack.supervisor.stop(["worker-2"], patience=30)
    return Interrupted(cluster.live.finish(run), finished)


def test_a_killed_worker_loses_no_trial_and_repeats_none(cluster: Cluster, interrupted: Interrupted) -> None:
    after = cluster.trials(*FINISHED)

    assert interrupted.run.state == "success"
    assert 3 <= len(interrupted.finished) < TRIALS
    assert [row for row in interrupted.finished if row not in after] == []
    assert sorted(int(row["place"]) for row in after) == list(range(TRIALS))
    assert len(cluster.trials("FAIL")) >= 1, "what the killed worker was at"
    assert cluster.trials("RUNNING", "WAITING") == []


def test_the_searches_that_were_cut_short_are_done_by_the_other_worker(
    cluster: Cluster, interrupted: Interrupted
) -> None:
    ended = cluster.searches(interrupted.run)

    assert [search["state"] for search in ended] == ["success"] * len(WORKERS) * SLOTS
    assert sorted(search["try_number"] for search in ended) == [1] * SLOTS + [2] * SLOTS


def test_what_was_trained_serves_and_no_disk_holds_what_others_need(
    cluster: Cluster, interrupted: Interrupted, housing: UseCase
) -> None:
    live = cluster.live
    promotion = live.finish(live.airflow.started_by(interrupted.run, "housing_promote"))

    assert promotion.state == "success"
    assert live.predict("housing", dict(housing.serving.example))["model_version"] == live.champion("housing") == 1
    assert list(live.state.store.rglob("*")) == []
    assert list(live.state.artifacts.rglob("*")) == []
    kept = {key.split("/")[0] for key in cluster.s3.keys(cluster.store)}
    assert kept == {"bentos", "mlflow", "releases", "reports", "snapshots"}


def test_a_server_has_the_bento_that_a_worker_built(
    cluster: Cluster, interrupted: Interrupted, housing: UseCase
) -> None:
    live = cluster.live
    live.finish(live.airflow.started_by(interrupted.run, "housing_promote"))
    assert not live.state.bentos.joinpath("bentos").exists()

    live.stack.supervisor.stop(["serving-housing"], patience=30)
    live.stack.supervisor.start("serving-housing")

    begun = f"serving housing from {live.state.bentos}/bentos/housing/v1-"
    until(lambda: begun in (live.state.log / "serving-housing.log").read_text())
    until(lambda: _answers(live, housing) == 1)


def test_both_workers_killed_one_after_the_other_lose_no_trial(cluster: Cluster, interrupted: Interrupted) -> None:
    """The long form: five times the trials, and the supervisor starts whoever was killed again."""
    cluster.live.stack.supervisor.start("worker-2")
    trials = 5 * TRIALS
    run = cluster.live.start("housing_train", trials=trials, reason="both workers are killed on the way")
    kept = []
    for worker in WORKERS:
        enough = len(cluster.trials(*FINISHED)) + TRIALS
        until(lambda: worker in cluster.searching(run) and len(cluster.trials(*FINISHED)) >= enough, 900)  # noqa: B023
        cluster.kill(worker)
        kept += cluster.trials(*FINISHED)
    ended = cluster.live.finish(run)

    after = cluster.trials(*FINISHED)
    assert ended.state == "success"
    assert [row for row in kept if row not in after] == []
    assert sorted(int(row["place"]) for row in after) == list(range(trials))


def _answers(live: LiveStack, housing: UseCase) -> int | None:
    try:
        return int(live.predict("housing", dict(housing.serving.example))["model_version"])
    except httpx.HTTPError:
        return None
