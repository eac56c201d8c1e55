"""A canary under load, with the real service, registry and database: what is faulty goes back by itself, unnoticed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.policy import Canary
from sluice.domain.release import Release
from sluice.release import canary, deployments, ledger, watch
from sluice.release.canary import Rollout
from sluice.release.deployments import Order
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe, blind, broken, shifted, slow
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow, Service, eventually

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
CLIENTS = 8
DECISION = """
INSERT INTO ml.decisions (use_case, version, bundle_sha256, champion_version, code, message, evidence, dag_run_id)
VALUES (%(use_case)s, %(version)s, %(sha256)s, %(champion)s, 'promote', 'good', '[]', 'run-' || %(version)s)
RETURNING decision_id
"""
#: Seconds instead of half an hour.
POLICY = Canary(steps=(0.2, 0.5), step_minutes=0.1, min_requests=60, max_hours=0.1)
#: In which a faulty one is found out, long before its step would end.
WINDOW = POLICY.model_copy(update={"step_minutes": 1.0})
#: What the DAG does, in a process of its own that can be killed.
WATCHER = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.release import watch
dsn, statements, registry, use_case = sys.argv[1:]
while True:
    verdict = watch.pursue(Warehouse(dsn, Path(statements)), Tracking(registry), use_case, datetime.now(UTC))
    print(verdict.code, verdict.message, flush=True)
    if verdict.code in ("promote", "over") or verdict.withdraws:
        break
    time.sleep(0.5)
"""


@dataclass
class Load:
    """What clients were answered: how often, with which versions, and what went wrong."""

    answered: int = 0
    versions: set[int] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)


@dataclass
class Scene:
    """A service and all that a canary of its use case needs."""

    platform: Platform
    service: Service
    shares: list[float] = field(default_factory=list)

    def publish(self, recipe: Recipe) -> Release:
        """The next version."""
        return self.platform.publish(*self.platform.register(recipe))

    def begin(self, release: Release, policy: Canary) -> Rollout:
        """A canary of a release beside the champion of now."""
        champion = self.platform.tracking.aliased(USE_CASE, "champion")
        assert champion
        values = {
            "use_case": USE_CASE,
            "version": release.version,
            "sha256": release.bundle_sha256,
            "champion": champion.number,
        }
        [row] = self.platform.warehouse.rows(DECISION, values)
        order = Order(release, champion.number, row["decision_id"], "gate", "all checks passed")
        canary.begin(self.platform.warehouse, self.platform.tracking, order, policy)
        return self.rollout()

    def rollout(self) -> Rollout:
        """The last canary."""
        last = canary.newest(self.platform.warehouse, USE_CASE)
        assert last
        return last

    def moves(self, rollout: Rollout) -> list[tuple[str, int, float, str]]:
        """What the ledger tells of a canary, from its beginning."""
        moves = ledger.moves(self.platform.warehouse, USE_CASE, 100)
        return [(m.action, m.to_version, m.share, m.actor) for m in moves if m.to_version == rollout.version][::-1]


def instance(draws: np.random.Generator) -> dict[str, Any]:
    """A flat like many others."""
    return EXAMPLE | {
        "income": float(draws.uniform(1, 20)),
        "rooms": int(draws.integers(1, 9)),
        "furnished": bool(draws.random() < 0.5),
    }


@contextmanager
def asking(service: Service) -> Iterator[Load]:
    """Clients that ask all the time, each about other flats."""
    over, load = threading.Event(), Load()

    def ask(number: int) -> None:
        draws = np.random.default_rng(number)
        with httpx.Client(base_url=service.url, timeout=30, trust_env=False) as client:
            while not over.wait(0.02):
                try:
                    asked = {"instances": [instance(draws)]}
                    answer = client.post("/api/v1/predict", json=asked).raise_for_status().json()
                    load.versions.add(answer["model_version"])
                except (httpx.HTTPError, KeyError) as error:
                    load.failed.append(repr(error))
                else:
                    load.answered += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def scene(registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A champion that serves."""
    store = ObjectStore(tmp_path_factory.mktemp("store").as_uri())
    platform = Platform(warehouse, Tracking(registry.url), store, tmp_path_factory.mktemp("bundles"))
    settings = {"MLFLOW_TRACKING_URI": registry.url, "SLUICE_WAREHOUSE_DSN": warehouse.dsn}
    made = Scene(platform, Service(tmp_path_factory.mktemp("home"), settings).start())
    try:
        platform.deploy(made.publish(Recipe()))
        made.service.wait()
        yield made
    finally:
        made.service.kill()


@pytest.mark.parametrize(
    ("recipe", "charge"),
    [
        (broken(Recipe()), "failures"),
        (blind(Recipe()), "failures"),
        (slow(Recipe(), toil=20), "latency"),
        (shifted(Recipe(), by=50), "shift"),
    ],
    ids=["broken", "blind", "slow", "shifted"],
)
def test_a_faulty_one_goes_back_by_itself_and_no_client_notices(scene: Scene, recipe: Recipe, charge: str) -> None:
    champion = scene.platform.tracking.aliased(USE_CASE, "champion")
    assert champion
    release = scene.publish(recipe)
    with asking(scene.service) as load:
        eventually(lambda: load.answered > 300)
        begun = time.monotonic()
        rollout = scene.begin(release, WINDOW)
        verdict = eventually(lambda: ended(scene), within=120, every=0.3)
        seconds = time.monotonic() - begun
        eventually(lambda: everywhere_without(scene))

    assert verdict.code == f"withdraw:{charge}"
    assert seconds < WINDOW.step_minutes * 60
    print(f"{charge}: withdrawn after {seconds:.1f} s and {load.answered} requests: {verdict.message}")
    assert not load.failed
    assert scene.moves(rollout) == [
        ("canary", release.version, 0.2, "gate"),
        ("withdraw", release.version, 0, "canary"),
    ]
    assert deployments.deployed(scene.platform.warehouse, USE_CASE) == champion.number
    with asking(scene.service) as after:
        eventually(lambda: after.answered > 50)
    assert after.versions == {champion.number}


def ended(scene: Scene) -> watch.Verdict | None:
    """Look as the DAG does; the verdict that ends it."""
    platform = scene.platform
    verdict = watch.pursue(platform.warehouse, platform.tracking, USE_CASE, datetime.now(UTC))
    return None if verdict.code in ("wait", "advance") else verdict


def everywhere_without(scene: Scene) -> bool:
    """Whether no process has a challenger any more."""
    rows = scene.platform.warehouse.rows(
        scene.platform.warehouse.statement("release/canary_replicas"),
        {"use_case": USE_CASE, "fresh": deployments.FRESH},
    )
    return bool(rows) and all(row["challenger_version"] is None for row in rows)


def test_a_healthy_one_takes_over_although_its_watcher_is_killed_on_the_way(scene: Scene) -> None:
    release = scene.publish(Recipe(base=100.5))
    platform = scene.platform
    with asking(scene.service) as load:
        eventually(lambda: load.answered > 300)
        rollout = scene.begin(release, POLICY)
        first = watcher(platform)
        eventually(lambda: scene.rollout().step == 1, within=120)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        again = watcher(platform)
        assert again.wait(120) == 0
        assert canary.promote(platform.warehouse, platform.tracking, platform.store, rollout, "nothing against it")
        deployments.await_live(platform.warehouse, release, timedelta(seconds=30))

    assert not load.failed
    assert load.versions == {rollout.champion_version, release.version}
    assert scene.rollout().state == "promoted"
    assert scene.moves(rollout) == [
        ("canary", release.version, 0.2, "gate"),
        ("canary", release.version, 0.5, "canary"),
        ("promote", release.version, 1, "canary"),
    ]


def watcher(platform: Platform) -> subprocess.Popen[bytes]:
    """A process that looks as the DAG does, until there is nothing left to watch."""
    arguments = (platform.warehouse.dsn, str(platform.warehouse.statements), platform.tracking.uri, USE_CASE)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")}
    return subprocess.Popen([sys.executable, "-c", WATCHER, *arguments], env=environment)
