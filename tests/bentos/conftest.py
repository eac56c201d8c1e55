"""One MLflow server for the session, and services that end with the test module that started them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bentos import servers
from tests.bentos.servers import Mlflow, Service


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """A real MLflow server."""
    with servers.mlflow(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


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
