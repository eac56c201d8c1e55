"""Services that end with the test module that started them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice.adapters.warehouse import Warehouse
from tests.bentos.servers import Relay, Service


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Starts services; what still runs at the module's end is ended."""
    started: list[Service] = []

    def start(home: Path | None = None, **environment: str) -> Service:
        service = Service(home or tmp_path_factory.mktemp("home"), environment).start()
        started.append(service)
        return service

    yield start
    for service in started:
        service.kill()


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def way(warehouse: Warehouse) -> Iterator[Relay]:
    """A way to the database that can be cut."""
    relay = Relay.before(warehouse.dsn)
    relay.mend()
    yield relay
    relay.cut()
