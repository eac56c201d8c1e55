"""Real services for every test: one Postgres server per session, one migrated database per module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psycopg2
import pytest
from psycopg2 import sql

from local import postgres
from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.registry import find
from sluice.settings import settings
from tests import buckets
from tests.bentos import servers
from tests.bentos.servers import Mlflow
from tests.buckets import S3
from tests.live import STANDING, _at_last, live

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

__all__ = ["_at_last", "live"]

# Before anything imports its client: the hub of the tests takes large files over plain HTTP alone.
os.environ["HF_HUB_DISABLE_XET"] = "1"

REPOSITORY = Path(__file__).resolve().parents[1]
STATEMENTS = REPOSITORY / "include" / "sql"
PASSWORD = "only-for-tests"
DATABASES = count(1)
#: What uses a stack or the container engine, which there is one of: of several processes one runs all of a group, file
#: by file as they stand here. A journey begins where there is no champion.
SHARING = {
    "the stack and the engine": (
        "tests/browser/test_walk.py",
        "tests/integration/test_journey.py",
        "tests/integration/test_approval.py",
        "tests/integration/test_backup.py",
        "tests/integration/test_classes.py",
        "tests/integration/test_killed.py",
        "tests/integration/test_new_use_case.py",
        "tests/integration/test_rollback.py",
        "tests/integration/test_shown.py",
        "tests/integration/test_use_cases.py",
        "tests/unit/release/test_container.py",
        "tests/unit/release/test_image.py",
    ),
    "a stack that is watched": (
        "tests/browser/test_pages.py",
        "tests/integration/test_alerts.py",
        "tests/integration/test_watcher.py",
    ),
    "a stack with workers": ("tests/integration/test_celery.py",),
    "a stack that publishes": ("tests/integration/test_publish.py",),
}


#: Share nothing and take long: at the end one process would be left with them.
LONG = ("tests/integration/evasions", "tests/unit/training/test_search.py", "tests/bentos/test_soak.py")


def group(nodeid: str) -> str | None:
    """The group of a test; None where it shares nothing."""
    return next((name for name, files in SHARING.items() if nodeid.startswith(files)), None)


@pytest.fixture(autouse=True)
def _settings_of_its_own() -> Iterator[None]:
    """A test reads the settings of its own environment, whatever the one before it had."""
    settings.cache_clear()
    yield
    settings.cache_clear()


def turn(nodeid: str) -> int:
    """When the file of a test has its turn: what takes longest, and shares something, before everything else."""
    files = [*(file for shared in SHARING.values() for file in shared), *LONG]
    return next((place for place, file in enumerate(files) if nodeid.startswith(file)), len(files))


def real_data_folder() -> Path:
    """Where the public data sets are, if they are anywhere."""
    return Path(os.environ.get("SLUICE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))


def container_engine() -> Literal["docker", "podman"] | None:
    """The engine that was named to run the releases' images; one that is named and does not answer fails the tests."""
    named = os.environ.get("SLUICE_CONTAINER_ENGINE")
    return named if named == "docker" or named == "podman" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs the stack; deselect, rather than skip, what needs data or an engine that is not here."""
    for item in items:
        if _needs_stack(item):
            item.add_marker(pytest.mark.integration)
    items.sort(key=lambda item: turn(item.nodeid))
    there = {
        "real_data": real_data_folder().is_dir(),
        "container": container_engine() is not None,
        "redis": shutil.which("redis-server") is not None,
        "prometheus": all(shutil.which(name) for name in ("prometheus", "promtool", "prometheus-pushgateway")),
    }
    absent = [item for item in items if any(item.get_closest_marker(name) for name, here in there.items() if not here)]
    if absent:
        config.hook.pytest_deselected(items=absent)
        items[:] = [item for item in items if item not in absent]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What several processes could share must be known to be shared."""
    if (_needs_stack(item) or item.get_closest_marker("container")) and group(item.nodeid) is None:
        pytest.fail("this uses the stack or the engine: name its file in SHARING of tests/conftest.py", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """A stack does not stand beside tests that do not use it: idle, it takes half a processor from them."""
    yield
    if group(item.nodeid) != (group(nextitem.nodeid) if nextitem else None):
        STANDING.down()


def _needs_stack(item: pytest.Item) -> bool:
    return "live" in getattr(item, "fixturenames", ())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    """Share the tests among the processes file by file, and each group as one."""
    from xdist.scheduler import LoadFileScheduling

    class Shares(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid) or str(super()._split_scope(nodeid))

    return Shares(config, log)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes what a test has measured; it is shown at the end of the run."""
    return lambda text: request.node.user_properties.append(("measured", text))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    told = [text for report in reports if report.when == "call" for name, text in report.user_properties]
    if told:
        terminalreporter.section("measured")
        for text in told:
            terminalreporter.line(text)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A module that skips itself is a failed one."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test is a failed one: what cannot run here must be selected by a marker."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the public data sets."""
    return real_data_folder()


@pytest.fixture(scope="session")
def use_cases() -> tuple[UseCase, ...]:
    """Every use case that ships."""
    return find(REPOSITORY / "include" / "use_cases").use_cases


@pytest.fixture(scope="session")
def housing() -> UseCase:
    """The use case that most examples speak of."""
    return find(REPOSITORY / "include" / "use_cases").get("housing")


@dataclass(frozen=True)
class Server:
    """A running Postgres server."""

    port: int

    def dsn(self, database: str) -> str:
        """The address of one of its databases."""
        return postgres.dsn(self.port, PASSWORD, database)

    def create(self, database: str, template: str = "template1") -> str:
        """Create a database and return its address."""
        connection = psycopg2.connect(self.dsn("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                names = {"name": sql.Identifier(database), "template": sql.Identifier(template)}
                cursor.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
        finally:
            connection.close()
        return self.dsn(database)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Postgres server of this session, with a migrated database named `migrated` as template."""
    with postgres.throwaway(tmp_path_factory.mktemp("postgres"), PASSWORD) as port:
        server = Server(port)
        migrate(server.create("migrated"), STATEMENTS / "migrations")
        yield server


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """An MLflow server of this session."""
    with servers.mlflow(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A server of this session that speaks S3."""
    with buckets.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty object store in a bucket, whose server and key are in the environment."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return s3.bucket()


@pytest.fixture(scope="module")
def warehouse(postgres_server: Server) -> Warehouse:
    """An empty warehouse with all platform tables, of this module alone."""
    return Warehouse(postgres_server.create(f"warehouse_{next(DATABASES)}", "migrated"), STATEMENTS)
