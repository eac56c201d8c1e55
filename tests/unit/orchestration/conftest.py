"""What people are told, and where it is kept."""

from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller

from local.ports import free_port
from sluice.adapters.warehouse import Warehouse
from sluice.settings import settings
from tests.unit.orchestration.inbox import Catcher, Inbox


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch, no_mail_server: None) -> Iterator[Inbox]:
    """A real mail server that Airflow's connection points at."""
    inbox = Inbox()
    port = free_port()
    server = Controller(Catcher(inbox.mails), hostname="127.0.0.1", port=port)
    server.start()
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{port}?disable_ssl=true&disable_tls=true")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.test")
    settings.cache_clear()
    yield inbox
    server.stop()
    settings.cache_clear()


@pytest.fixture
def ledger(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse that the settings name, in which nothing is wrong yet."""
    warehouse.execute("TRUNCATE monitoring.incidents")
    monkeypatch.setenv("SLUICE_WAREHOUSE_DSN", warehouse.dsn)
    settings.cache_clear()
    yield warehouse
    settings.cache_clear()


@pytest.fixture(autouse=True)
def no_mail_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's connection points where nobody answers, unless a test has an inbox."""
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://127.0.0.1:1?disable_ssl=true&disable_tls=true")


@pytest.fixture
def no_warehouse(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings name a warehouse that does not answer."""
    monkeypatch.setenv("SLUICE_WAREHOUSE_DSN", "postgresql://nobody@127.0.0.1:1/warehouse")
    settings.cache_clear()
    yield
    settings.cache_clear()
