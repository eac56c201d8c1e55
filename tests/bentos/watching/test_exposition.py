"""What Prometheus reads of a server with two workers: sums over both, and nothing of what is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.series import samples, value
from tests.bentos.servers import Relay, Service, eventually

CAPACITY = 100
SUCCESS = "prediction_log_last_success_timestamp_seconds"


@pytest.fixture(scope="module")
def way(warehouse: Warehouse) -> Iterator[Relay]:
    """The way to the database."""
    relay = Relay.before(warehouse.dsn)
    relay.mend()
    yield relay
    relay.cut()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object store with the releases 1 and 2, of which the first is the champion."""
    root = tmp_path_factory.mktemp("store")
    for version in (1, 2):
        bundles.write(root / "releases" / USE_CASE / str(version), Recipe(base=version))
    promote(root, 1)
    return root


def promote(store: Path, version: int) -> None:
    document = {"version": version, "bento": f"rents:{version}", "bundle_sha256": "x"}
    (store / "releases" / USE_CASE / "champion.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service], warehouse: Warehouse, way: Relay, store: Path) -> Service:
    """A service of two workers that finds its releases in the object store."""
    started = serve(
        SLUICE_WORKERS="2",
        SLUICE_OBJECT_STORE=store.as_uri(),
        SLUICE_WAREHOUSE_DSN=way.around(warehouse.dsn),
        SLUICE_LOG_ROWS=str(CAPACITY),
    ).wait()
    eventually(lambda: value(started, "prediction_log_capacity_rows") == 2 * CAPACITY)
    eventually(lambda: value(started, "release_loads_total", outcome="swapped") == 2)
    return started


def test_all_workers_serve_one_release_and_the_next_leaves_nothing_of_it(service: Service, store: Path) -> None:
    assert eventually(lambda: value(service, "release_ready") == 1)
    (first,) = eventually(lambda: samples(service, "release_info"))
    assert (first.value, first.labels["version"], first.labels["source"]) == (1, "1", "object_store")
    promote(store, 2)
    eventually(lambda: [each.labels["version"] for each in samples(service, "release_info")] == ["2"])
    assert value(service, "release_loads_total", outcome="swapped") == 4
    assert [each.labels["code"] for each in samples(service, "release_reason")] == ["ok"]


def test_what_is_written_and_what_waits_adds_up_and_a_killed_worker_waits_no_more(service: Service, way: Relay) -> None:
    # Without a request, too: the heartbeats go the same way.
    quiet = value(service, SUCCESS)
    assert eventually(lambda: value(service, SUCCESS) > quiet)
    before = value(service, "prediction_log_written_total")
    service.predict(*[EXAMPLE] * 3)
    assert eventually(lambda: value(service, "prediction_log_written_total") - before == 3)
    way.cut()
    cut = value(service, SUCCESS)
    for _ in range(20):
        service.predict(EXAMPLE)
    assert eventually(lambda: value(service, "prediction_log_waiting_rows") == 20)
    assert service.process
    for worker in psutil.Process(service.process.pid).children():
        worker.kill()
    eventually(service.is_ready, within=90, every=0.2)
    assert eventually(lambda: samples(service, "prediction_log_waiting_rows")[0].value == 0)
    assert value(service, "pred_requests_total", outcome="ok") == 21
    way.mend()
    assert eventually(lambda: value(service, SUCCESS) > cut)
    assert eventually(lambda: value(service, "prediction_log_capacity_rows") == 2 * CAPACITY)


def test_a_file_that_a_starting_worker_has_not_yet_filled_is_passed_over(service: Service) -> None:
    (service.home / "prometheus_multiproc_dir" / "counter_1.db").touch()
    assert value(service, "pred_requests_total", outcome="ok") > 0
