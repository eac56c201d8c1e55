"""What a running service does when the world around it breaks: no registry, no database, killed processes."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.servers import Relay, Service, eventually, free_port

CAPACITY = 30


@pytest.fixture(scope="module")
def way(warehouse: Warehouse) -> Iterator[Relay]:
    """The way to the database, cut at first."""
    relay = Relay.before(warehouse.dsn)
    yield relay
    relay.cut()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object store with a release."""
    root = tmp_path_factory.mktemp("store")
    releases = root / "releases" / USE_CASE
    bundles.write(releases / "7", Recipe(base=40))
    (releases / "champion.json").write_text(json.dumps({"version": 7, "bento": "rents:7", "bundle_sha256": "x"}))
    return root


@pytest.fixture(scope="module")
def service(serve: Callable[..., Service], warehouse: Warehouse, way: Relay, store: Path) -> Service:
    """A service that finds neither its registry nor its database when it starts."""
    dsn = way.around(warehouse.dsn)
    return serve(
        MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}",
        SLUICE_OBJECT_STORE=store.as_uri(),
        SLUICE_WAREHOUSE_DSN=dsn,
        SLUICE_LOG_ROWS=str(CAPACITY),
    ).wait()


def logged(warehouse: Warehouse, request_id: str) -> int:
    query = "SELECT count(*) AS rows FROM serving.predictions WHERE request_id = %(request_id)s"
    rows: int = warehouse.rows(query, {"request_id": request_id})[0]["rows"]
    return rows


def dropped(service: Service) -> float:
    series = f'prediction_log_dropped_total{{use_case="{USE_CASE}"}}'
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(series))


def test_the_object_store_stands_in_for_a_registry_that_is_away(service: Service) -> None:
    card = service.card()
    assert (card["version"], card["source"]) == (7, "object_store")
    assert card["reason"].startswith("unreachable: the registry does not answer")
    assert card["challenger"] is None
    assert service.predict(EXAMPLE).json()["model_version"] == 7


def test_answers_flow_without_a_database_and_are_logged_when_it_comes(
    service: Service, way: Relay, warehouse: Warehouse
) -> None:
    assert service.predict(EXAMPLE, EXAMPLE, **{"x-request-id": "before"}).status_code == 200
    way.mend()
    eventually(lambda: logged(warehouse, "before") >= 2)
    assert eventually(lambda: warehouse.rows("SELECT version FROM serving.replicas")) == [{"version": 7}]


def test_what_the_queue_cannot_hold_is_dropped_and_counted(service: Service, way: Relay, warehouse: Warehouse) -> None:
    before = dropped(service)
    way.cut()
    for _ in range(5):
        assert service.predict(*[EXAMPLE] * 10, **{"x-request-id": "outage"}).status_code == 200
    assert dropped(service) - before == 5 * 10 - CAPACITY
    way.mend()
    eventually(lambda: logged(warehouse, "outage") == CAPACITY)
    assert service.predict(EXAMPLE, **{"x-request-id": "after"}).status_code == 200
    eventually(lambda: logged(warehouse, "after") == 1)


def test_a_killed_worker_is_replaced_and_its_heartbeat_buried(service: Service, warehouse: Warehouse) -> None:
    killed = service.worker
    killed.kill()
    killed.wait(10)
    eventually(service.is_ready, within=60)
    assert service.predict(EXAMPLE).status_code == 200
    eventually(lambda: warehouse.rows("SELECT pid FROM serving.replicas") == [{"pid": service.worker.pid}])


def test_a_worker_whose_supervisor_is_killed_logs_what_it_answered_and_frees_the_port(
    service: Service, warehouse: Warehouse
) -> None:
    worker = service.worker
    assert service.predict(EXAMPLE, **{"x-request-id": "last"}).status_code == 200
    assert service.process
    service.process.kill()
    service.process.wait()
    psutil.wait_procs([worker], timeout=20)
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert logged(warehouse, "last") == 1
    assert not warehouse.rows("SELECT 1 FROM serving.replicas")
    with socket.create_server(("127.0.0.1", service.port)):
        pass
