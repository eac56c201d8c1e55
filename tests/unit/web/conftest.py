"""The pages as a browser meets them, with a person of known rights."""

import asyncio
import importlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.settings import settings

Get = Callable[..., httpx.Response]


@pytest.fixture(scope="session", autouse=True)
def _airflow() -> None:
    """Imports Airflow's web server, which uses what its own dependencies have deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("airflow.api_fastapi.core_api.security")


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    """An empty object store."""
    return ObjectStore((tmp_path / "store").as_uri())


@pytest.fixture
def _settings(monkeypatch: pytest.MonkeyPatch, warehouse: Warehouse, objects: ObjectStore) -> Iterator[None]:
    monkeypatch.setenv("SLUICE_WAREHOUSE_DSN", warehouse.dsn)
    monkeypatch.setenv("SLUICE_OBJECT_STORE", objects.root)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def get(_settings: None) -> Iterator[Get]:
    """Asks for a path; `reads` names the DAGs that the person may read, None is somebody not signed in."""
    from sluice.web.access import Reader
    from sluice.web.pages import application

    class Person:
        def __init__(self, reads: set[str]) -> None:
            self.reads = reads

        def may_read(self, dag_id: str) -> bool:
            return dag_id in self.reads

    application.cache_clear()
    app = application()

    def ask(path: str, reads: set[str] | None = None, **headers: str) -> httpx.Response:
        if reads is not None:
            app.dependency_overrides[Reader] = lambda: Person(reads)
        return asyncio.run(_request(app, path, headers))

    yield ask
    application.cache_clear()


async def _request(app: object, path: str, headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow.test") as client:
        return await client.get(path, headers=headers)
