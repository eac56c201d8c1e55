"""The pages as a browser meets them, with a person of known rights."""

import asyncio
import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.settings import settings
from tests.conftest import DATABASES, Server

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
    monkeypatch.setenv("SLUICE_OPTUNA_DSN", warehouse.dsn)
    monkeypatch.setenv("SLUICE_OBJECT_STORE", objects.root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:hidden-word@127.0.0.1:1")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://ada:hidden-word@127.0.0.1:1/?disable_ssl=true")
    settings.cache_clear()
    yield
    settings.cache_clear()


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in, with known rights."""

    reads: Set[str]
    platform: bool = True
    connections: bool = False

    def readable(self, dag_ids: Iterable[str]) -> set[str]:
        return set(dag_ids) & self.reads

    def may_see_platform(self) -> bool:
        return self.platform

    def may_read_connection(self, conn_id: str) -> bool:
        return self.connections


@dataclass(frozen=True)
class Everything:
    """The rights of somebody who may see all DAGs, however they are called."""

    platform: bool = True

    def readable(self, dag_ids: Iterable[str]) -> set[str]:
        return set(dag_ids)

    def may_see_platform(self) -> bool:
        return self.platform

    def may_read_connection(self, conn_id: str) -> bool:
        return True


@pytest.fixture(scope="module")
def airflow_database(postgres_server: Server) -> Iterator[Engine]:
    """Airflow's own database, of which the pages read the runs."""
    from airflow.models.dagrun import DagRun

    dsn = postgres_server.create(f"airflow_{next(DATABASES)}").replace("postgresql:", "postgresql+psycopg2:", 1)
    engine = create_engine(dsn)
    with engine.begin() as connection:
        connection.execute(CreateTable(DagRun.__table__, include_foreign_key_constraints=[]))  # type: ignore[arg-type]
    yield engine
    engine.dispose()


@pytest.fixture
def get(_settings: None, airflow_database: Engine) -> Iterator[Get]:
    """Asks for a path; `reads` names the DAGs that the person may read, None is somebody not signed in."""
    from sluice.web.access import Reader
    from sluice.web.pages import application
    from sluice.web.platform import vital_signs
    from sluice.web.runs import metadata

    def session() -> Iterator[Session]:
        with Session(airflow_database) as opened:
            yield opened

    application.cache_clear()
    app = application()
    app.dependency_overrides[metadata] = session
    app.dependency_overrides[vital_signs] = lambda: lambda: {"scheduler": {"status": "healthy"}}

    def ask(
        path: str, reads: Set[str] | Person | Everything | None = None, method: str = "GET", **headers: str
    ) -> httpx.Response:
        if reads is not None:
            person = Person(reads) if isinstance(reads, Set) else reads
            app.dependency_overrides[Reader] = lambda: person
        return asyncio.run(_request(app, method, path, headers))

    yield ask
    application.cache_clear()


async def _request(app: object, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow.test") as client:
        return await client.request(method, path, headers=headers)
