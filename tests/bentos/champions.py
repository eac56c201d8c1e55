"""Releases that are registered, published and deployed as the platform does it, and the load they are moved under."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pandas as pd

from sluice.adapters import bundles as sealed
from sluice.adapters.bundles import Bundle
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.release import Release, bento_tag
from sluice.release import deployments
from sluice.release.deployments import Action, Order
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe, predict
from tests.bentos.servers import Service

SNAPSHOT = """
INSERT INTO ml.snapshots
    (snapshot_id, use_case, uri, sha256, rows, available_rows, train_rows, calibration_rows, test_rows, batch_ids)
VALUES ('s1', 'rents', '', '', 1, 1, 1, 0, 0, '{}')
ON CONFLICT (snapshot_id) DO NOTHING
"""


@dataclass
class Platform:
    """The registry, the ledgers and the object store, and what each version adds to its predictions."""

    warehouse: Warehouse
    tracking: Tracking
    store: ObjectStore
    scratch: Path
    bases: dict[int, float] = field(default_factory=dict)

    def register(self, recipe: Recipe) -> tuple[Bundle, int]:
        """A bundle, and the version it is registered as."""
        folder = bundles.write(self.scratch / f"bundle-{len(self.bases)}", recipe)
        seen = [{**EXAMPLE, "income": float(income)} for income in range(20)]
        known = pd.DataFrame(seen).assign(prediction=[predict(row, recipe.base) for row in seen])
        known.to_parquet(folder / "reference.parquet", index=False)
        bundles.seal(folder)
        bundle = sealed.read(folder)
        run = self.tracking.client.create_run("0").info.run_id
        self.tracking.client.log_artifacts(run, str(bundle.folder), BUNDLE_PATH)
        version = self.tracking.register(USE_CASE, run, {"bundle_sha256": bundle.sha256}, "")
        self.bases[version.number] = recipe.base
        return bundle, version.number

    def publish(self, bundle: Bundle, version: int) -> Release:
        """The release of a registered bundle; whether its bento is built is not this one's business."""
        self.warehouse.execute(SNAPSHOT)
        runtime = bundle.contract.runtime_sha256
        tag = bento_tag(USE_CASE, version, bundle.sha256)
        release = Release(USE_CASE, version, bundle.sha256, runtime, f"run-{version}", "s1", tag, "")
        deployments.publish(self.warehouse, self.store, release, bundle.folder)
        return release

    def deploy(self, release: Release, action: Action = "promote") -> None:
        """Let a release serve."""
        champion = self.tracking.aliased(USE_CASE, "champion")
        order = Order(release, champion.number if champion else None, None, "test", "it is tried", action)
        deployments.deploy(self.warehouse, self.tracking, self.store, order)


@dataclass
class Load:
    """What clients were answered.

    Attributes:
        answered: Requests with the prediction of the version that the answer names.
        failed: What came instead, in words.
    """

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def asking(service: Service, bases: dict[int, float], clients: int, pause: float = 0.01) -> Iterator[Load]:
    """Ask all the time, each client over one connection that it keeps."""
    over, told = threading.Event(), [Load() for _ in range(clients)]

    def ask(load: Load) -> None:
        with httpx.Client(base_url=service.url, timeout=30, trust_env=False) as client:
            while not over.wait(pause):
                try:
                    answer = client.post("/api/v1/predict", json={"instances": [EXAMPLE]}).raise_for_status().json()
                    expected = predict(EXAMPLE, bases[answer["model_version"]])
                    assert answer["predictions"][0]["prediction"] == expected, answer
                except (httpx.HTTPError, KeyError, AssertionError) as error:
                    load.failed.append(repr(error))
                else:
                    load.answered += 1

    threads = [threading.Thread(target=ask, args=(load,)) for load in told]
    for thread in threads:
        thread.start()
    whole = Load()
    try:
        yield whole
    finally:
        over.set()
        for thread in threads:
            thread.join()
        whole.answered = sum(load.answered for load in told)
        whole.failed = [failure for load in told for failure in load.failed]


def moved(platform: Platform, service: Service, workers: int, moves: int, clients: int) -> tuple[Load, list[float]]:
    """Move between two releases there and back under load.

    Args:
        platform: Where the releases are made.
        service: A service that follows its registry.
        workers: How many processes answer.
        moves: Promotions and rollbacks, in turns.
        clients: How many ask meanwhile.

    Returns:
        What the clients were answered, and of each move the seconds from its order to the last process's heartbeat.
    """
    first, second = (platform.publish(*platform.register(Recipe(base=base))) for base in (50, 60))
    platform.deploy(first)
    service.wait()
    _live(platform, first, workers)
    seconds = []
    with asking(service, platform.bases, clients) as load:
        for number in range(moves):
            forward = number % 2 == 0
            begun = time.monotonic()
            platform.deploy(second if forward else first, "promote" if forward else "rollback")
            assert deployments.await_live(platform.warehouse, second if forward else first, PATIENCE) == workers
            seconds.append(time.monotonic() - begun)
            # Orders come at any moment between two looks of a process, not always right after the one that found.
            time.sleep(0.37 * (number % 3))
    return load, seconds


PATIENCE = timedelta(seconds=30)


def _live(platform: Platform, release: Release, workers: int) -> None:
    deadline = time.monotonic() + PATIENCE.total_seconds()
    while deployments.await_live(platform.warehouse, release, PATIENCE) < workers:
        assert time.monotonic() < deadline, f"fewer than {workers} processes have a heartbeat"
        time.sleep(0.2)
