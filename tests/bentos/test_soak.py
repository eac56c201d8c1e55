"""Load for minutes, while releases are swapped, the database is stopped twice and MLflow is away: nothing is lost.

`make soak` runs it as it stands in `Plan`: ten minutes with a swap every ten seconds, a minute without the database,
two minutes without MLflow, then both gone at once, on the spot, until more waits than may. `make test` runs the same
`SHORTENED` times faster, with a swap every second and a smaller buffer.
"""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from local import keys as command
from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import USE_CASE, Recipe
from tests.bentos.clients import MEAN_SIZE, Load, asking, audit
from tests.bentos.databases import Database
from tests.bentos.servers import Mlflow, Service, Tracker, eventually

SHORTENED = 20
WORKERS, CLIENTS, PAUSE, SHARE = 2, 8, 0.02, 0.25
#: Seconds until both processes write again, once the database is back: a pause between two tries, and a try.
BACK = 4.0
STATEMENTS = Path(__file__).resolve().parents[2] / "include" / "sql"


@dataclass(frozen=True)
class Plan:
    """How long everything takes, in seconds.

    Attributes:
        factor: By how much everything is shortened.
    """

    factor: int

    @property
    def whole(self) -> float:
        """Of the load."""
        return 600 / self.factor

    @property
    def swap(self) -> float:
        """From one swap to the next; a process needs a moment for each."""
        return max(10 / self.factor, 1)

    @property
    def calm(self) -> float:
        """Between two outages."""
        return 45 / self.factor

    @property
    def database(self) -> float:
        """Without the database."""
        return 60 / self.factor

    @property
    def mlflow(self) -> float:
        """Without MLflow."""
        return 120 / self.factor

    @property
    def buffer(self) -> int:
        """Predictions that may wait in each process: what all clients ask for while the database is away and starts."""
        return math.ceil(CLIENTS / PAUSE * MEAN_SIZE * (self.database + 10))


@dataclass
class Stage:
    """The real servers, and what was published."""

    tracker: Tracker
    registry: Mlflow
    database: Database
    warehouse: Warehouse
    service: Service
    keys: list[str]
    bases: dict[int, float]
    moves: list[int] = field(default_factory=list)
    #: Held while the registry is away: nobody can move an alias then.
    moving: threading.Lock = field(default_factory=threading.Lock)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels, over all processes."""
        answer = httpx.get(f"{self.service.url}/metrics", headers={"x-api-key": self.keys[0]}).raise_for_status()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in answer.text.splitlines() if line.startswith(f"{name}{{")]
        return sum(float(line.split()[-1]) for line in lines if all(label in line for label in wanted))

    @property
    def dropped(self) -> int:
        """How many predictions are counted as not logged."""
        return int(self.metric("prediction_log_dropped_total"))

    def back(self, since: float) -> float:
        """Wait until every process has written to the database since a moment, and say how long that took."""
        query = "SELECT count(*) AS processes FROM serving.replicas WHERE extract(epoch FROM seen_at) >= %(since)s"
        began = time.monotonic()
        eventually(lambda: self.warehouse.rows(query, {"since": since}) == [{"processes": WORKERS}])
        return time.monotonic() - began

    def restart(self) -> float:
        """Start the database again, and say how long it takes from then until every process writes."""
        since = time.time()
        self.database.start()
        return self.back(since)

    @contextmanager
    def swapping(self, versions: list[int], every: float) -> Iterator[None]:
        """Move the champion between versions all the time, unless the registry is away."""
        over = threading.Event()

        def run() -> None:
            for version in cycle(versions):
                if over.wait(every):
                    return
                with self.moving:
                    self.registry.promote(version)
                    self.moves.append(version)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    return Plan(request.param)


@pytest.fixture
def stage(plan: Plan, serve: Callable[..., Service], tmp_path: Path) -> Iterator[Stage]:
    """Two releases for the champion, and one as the challenger."""
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "postgres").mkdir()
    tracker, database = Tracker(tmp_path / "mlflow"), Database(tmp_path / "postgres")
    try:
        migrate(database.dsn, STATEMENTS / "migrations")
        registry = tracker.start()
        recipes = [Recipe(base=base).with_limits(max_instances=100) for base in (50.0, 60.0, 70.0)]
        versions = [registry.publish(bundles.write(tmp_path / str(recipe.base), recipe)) for recipe in recipes]
        registry.promote(versions[0])
        registry.challenge(versions[2], str(SHARE))
        file = tmp_path / "api-keys.jsonl"
        keys = [command.make(file, f"client-{number}") for number in range(CLIENTS)]
        service = serve(
            MLFLOW_TRACKING_URI=registry.url,
            SLUICE_WAREHOUSE_DSN=database.dsn,
            SLUICE_WORKERS=str(WORKERS),
            SLUICE_ACCESS="keys",
            SLUICE_API_KEYS=str(file),
            SLUICE_LOG_ROWS=str(plan.buffer),
        ).wait()
        bases = {version: recipe.base for version, recipe in zip(versions, recipes, strict=True)}
        stage = Stage(tracker, registry, database, Warehouse(database.dsn, STATEMENTS), service, keys, bases)
        stage.back(0)
        # Otherwise a first few requests would be the champion's, of a process that has not found the challenger yet.
        query = "SELECT 1 FROM serving.replicas WHERE challenger_version = %(version)s"
        eventually(lambda: len(stage.warehouse.rows(query, {"version": versions[2]})) == WORKERS)
        yield stage
    finally:
        database.stop()
        tracker.stop()


@pytest.mark.parametrize(
    "plan",
    [pytest.param(1, marks=[pytest.mark.soak, pytest.mark.timeout(2400)]), SHORTENED],
    ids=["whole", "shortened"],
    indirect=True,
)
def test_every_answer_is_logged_or_counted_whatever_goes_down(
    stage: Stage, plan: Plan, say: Callable[[str], None]
) -> None:
    first, second, challenger = stage.bases
    backs, lost = [], []
    began = time.monotonic()
    with asking(stage.service, stage.keys, stage.bases, PAUSE) as load, stage.swapping([second, first], plan.swap):
        time.sleep(plan.calm)

        stage.database.stop("fast")
        time.sleep(plan.database)
        backs.append(stage.restart())
        eventually(lambda: stage.metric("prediction_log_waiting_rows") < plan.buffer / 20, within=60)
        lost.append(stage.dropped)
        time.sleep(plan.calm)

        with stage.moving:
            stage.tracker.stop()
            time.sleep(plan.mlflow)
            stage.tracker.start()
        time.sleep(plan.calm)

        with stage.moving:
            stage.tracker.kill()
            stage.database.stop("immediate")
            load.pause = 0.0
            eventually(lambda: stage.dropped > lost[0], within=300, every=0.2)
            time.sleep(plan.calm / 10)
            load.pause = PAUSE
            backs.append(stage.restart())
            stage.tracker.start()
        time.sleep(max(began + plan.whole - time.monotonic(), plan.calm))
    seconds = time.monotonic() - began

    champion = "SELECT version, challenger_version FROM serving.replicas"
    last = {"version": stage.moves[-1], "challenger_version": challenger}
    eventually(lambda: stage.warehouse.rows(champion) == [last] * WORKERS)
    # The log writes four times a second; how much waits is shown every second.
    time.sleep(2)
    eventually(lambda: stage.metric("prediction_log_waiting_rows") == 0, within=60)
    dropped, written = stage.dropped, int(stage.metric("prediction_log_written_total"))
    swapped = int(stage.metric("release_loads_total", outcome="swapped"))
    assert stage.service.stop() == 0
    books = audit(stage.database.dsn, load)
    for line in report(load, seconds):
        say(line)
    say(
        f"{len(stage.moves)} moves of the alias, {swapped} swaps in {WORKERS} processes; back {backs[0]:.1f} and "
        f"{backs[1]:.1f} s after the database; {books.predictions} predictions logged, {dropped} counted as dropped"
    )

    assert load.failed == []
    assert books.wrong == []
    assert books.predictions + dropped == load.predictions
    assert (books.missing, books.unheard) == (dropped, 0)
    assert written == books.predictions
    # What a minute without the database brings fits in; what comes until more waits than may does not.
    assert lost == [0]
    assert dropped > 0
    assert max(backs) < BACK
    assert {(role, version) for role, version in books.answered} == {
        ("champion", first),
        ("champion", second),
        ("challenger", challenger),
    }
    assert swapped > len(stage.moves)
    # Each process says once for each time that the database is away, and once or twice that MLflow is.
    assert stage.service.log.count("predictions wait, the warehouse does not take them") <= 2 * WORKERS
    assert stage.service.log.count("[WARNING]") <= (2 + 2 * 2) * WORKERS


def report(load: Load, seconds: float) -> list[str]:
    """What the clients saw, in words."""
    times = load.seconds
    [*_, p99] = statistics.quantiles(times, n=100)
    return [
        f"{USE_CASE}: {load.requests} requests with {load.predictions} predictions in {seconds:.0f} s, "
        f"{len(load.failed)} failed",
        f"latency at {CLIENTS} clients: median {statistics.median(times) * 1000:.1f} ms, p99 {p99 * 1000:.0f} ms, "
        f"max {times[-1] * 1000:.0f} ms",
    ]
