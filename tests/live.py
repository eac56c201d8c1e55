"""The whole local stack, once per session, in a state folder of its own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import ports
from local.addresses import Addresses
from local.runs import Airflow, Run
from local.stack import Stack
from local.state import State
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse

REPOSITORY = Path(__file__).parents[1]
STATEMENTS = REPOSITORY / "include" / "sql"
RUNS = count(1)


@dataclass(frozen=True)
class LiveStack:
    """A running stack, as its users and its operators see it."""

    state: State
    stack: Stack
    addresses: Addresses
    airflow: Airflow
    warehouse: Warehouse
    tracking: Tracking
    use_cases: Path
    dags: Path

    def start(self, dag_id: str, **conf: Any) -> Run:
        """Trigger a DAG through the REST API."""
        self.airflow.await_dag(dag_id)
        return self.airflow.trigger(dag_id, f"test-{next(RUNS)}", conf)

    def finish(self, run: Run) -> Run:
        """Wait for a run's end."""
        *_, last = self.airflow.follow(run)
        return last.run

    def run(self, dag_id: str, **conf: Any) -> Run:
        """Trigger a DAG and wait for its success."""
        run = self.finish(self.start(dag_id, **conf))
        if run.state != "success":
            raise self.airflow.failure(run)
        return run

    def promote(self, use_case: str, **conf: Any) -> tuple[Run, dict[str, Any]]:
        """Train a candidate, and return the promotion that it started with its decision."""
        training = self.run(f"{use_case}_train", **conf)
        promotion = self.finish(self.airflow.started_by(training, f"{use_case}_promote"))
        [decision] = self.warehouse.rows(
            "SELECT * FROM ml.decisions WHERE use_case = %(use_case)s AND dag_run_id = %(run_id)s"
            " ORDER BY decision_id DESC LIMIT 1",
            {"use_case": use_case, "run_id": promotion.run_id},
        )
        return promotion, decision

    def champion(self, use_case: str) -> int | None:
        """The version that the registry's alias names."""
        version = self.tracking.aliased(use_case, "champion")
        return version.number if version else None

    def predict(self, use_case: str, instance: dict[str, Any], addresses: Addresses | None = None) -> dict[str, Any]:
        """Ask the live endpoint."""
        answer = httpx.post(
            f"{(addresses or self.addresses).serving(use_case)}/api/v1/predict",
            json={"instances": [instance]},
            trust_env=False,
        )
        content: dict[str, Any] = answer.raise_for_status().json()
        return content

    def mails(self) -> list[dict[str, Any]]:
        """What the inbox holds."""
        found: list[dict[str, Any]] = httpx.get(f"{self.addresses.inbox}/messages", trust_env=False).json()
        return found

    def await_mail(self, *words: str, seen: int = 0, seconds: float = 60) -> dict[str, Any]:
        """Wait for a mail beyond those seen whose subject holds all words."""
        deadline = time.monotonic() + seconds
        while True:
            for mail in self.mails()[seen:]:
                if all(word in mail["subject"] for word in words):
                    return mail
            if time.monotonic() > deadline:
                subjects = [mail["subject"] for mail in self.mails()]
                raise AssertionError(f"no mail with {words} within {seconds:g} s; there are: {subjects}")
            time.sleep(0.5)


class Standing:
    """The stack that a group of tests shares: up for the first that asks, down after the last, whatever else runs."""

    def __init__(self) -> None:
        self._stack: LiveStack | None = None
        self._end = ExitStack()

    def up(self, factory: pytest.TempPathFactory) -> LiveStack:
        """The stack, started if it is not."""
        if self._stack is None:
            self._stack = self._end.enter_context(started(factory))
        return self._stack

    def down(self) -> None:
        """Stop the stack if there is one."""
        self._stack = None
        self._end.close()


STANDING = Standing()


@pytest.fixture(scope="session")
def _at_last() -> Iterator[None]:
    """Leaves no stack behind when the tests are interrupted, either."""
    yield
    STANDING.down()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, _at_last: None) -> LiveStack:
    """The stack, up and healthy, with a copy of the use cases and of the DAG files."""
    return STANDING.up(tmp_path_factory)


@contextmanager
def started(factory: pytest.TempPathFactory, only: str = "*", **environment: str) -> Iterator[LiveStack]:
    """A stack of one's own.

    Args:
        factory: Makes its folders.
        only: The use case that it has; all of them if absent.
        environment: What whoever starts it sets.
    """
    state = State(factory.mktemp("stack"))
    use_cases = factory.mktemp("use_cases") / "all"
    for folder in (REPOSITORY / "include" / "use_cases").glob(f"{only}/"):
        shutil.copytree(folder, use_cases / folder.name)
    dags = factory.mktemp("airflow") / "dags"
    shutil.copytree(REPOSITORY / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    stack = Stack(state)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"SLUICE_USE_CASES": str(use_cases), "SLUICE_DAGS": str(dags), **environment}.items():
                patch.setenv(name, value)
            yield from _running(state, stack, use_cases, dags)
    finally:
        stack.down(print)


def _running(state: State, stack: Stack, use_cases: Path, dags: Path) -> Iterator[LiveStack]:
    # As an earlier start would have left them: a usual port may go to another process between its choice and its use.
    programs = ports.expected(path.parent.name for path in use_cases.glob("*/use_case.yaml"))
    ports.remember(state, ports.Choice({name: ports.free_port() for name in programs}))
    addresses = stack.up(print, lambda _: None)
    with Airflow(addresses.airflow, "admin", addresses.credentials.admin) as airflow:
        yield LiveStack(
            state,
            stack,
            addresses,
            airflow,
            Warehouse(addresses.database("warehouse"), STATEMENTS),
            Tracking(addresses.mlflow),
            use_cases,
            dags,
        )
