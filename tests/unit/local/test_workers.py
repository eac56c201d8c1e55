"""Workers are there when somebody asks for them, each on a disk of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from local import environment, ports, postgres, workers
from local.addresses import Addresses
from local.credentials import generate
from local.errors import StackError
from local.programs import Program, programs
from local.state import State
from tests.bentos.servers import eventually

pytestmark = [pytest.mark.usefixtures("_asked"), pytest.mark.redis]


@pytest.fixture
def _asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CELERY_WORKERS", "2")


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "var")
    made.create()
    return made


@pytest.fixture
def addresses() -> Addresses:
    return Addresses(ports.expected(["housing"]), generate(), ("housing",))


def listed(state: State, addresses: Addresses) -> dict[str, Program]:
    return {program.name: program for program in programs(state, addresses, postgres.locate(state.postgres))}


def test_without_being_asked_for_there_are_none(
    state: State, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_CELERY_WORKERS")

    assert not {"redis", "worker-1"} & set(listed(state, addresses))
    assert "AIRFLOW__CORE__EXECUTOR" not in environment.airflow(state, addresses)


def test_every_part_of_airflow_hears_of_them(state: State, addresses: Addresses) -> None:
    found = listed(state, addresses)

    told = [found[name].environment for name in ("scheduler", "api-server", "dag-processor", "worker-1", "worker-2")]
    assert {variables["AIRFLOW__CORE__EXECUTOR"] for variables in told} == {"CeleryExecutor"}
    assert {variables["AIRFLOW__CELERY__BROKER_URL"] for variables in told} == {workers.broker(state)}
    assert {variables["SLUICE_SEARCH_WORKERS"] for variables in told} == {"4"}


def test_each_has_a_disk_of_its_own(state: State, addresses: Addresses) -> None:
    found = listed(state, addresses)

    first, second = (found[name].environment for name in ("worker-1", "worker-2"))
    apart = {name for name in first if first[name] != second[name]}
    assert apart == {"AIRFLOW_HOME", "TMPDIR", "SLUICE_BENTO_STORE"}
    workers.prepare(state)
    assert Path(first["TMPDIR"]).is_dir()


@pytest.mark.parametrize("said", ["two", "-1"])
def test_what_is_no_number_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_CELERY_WORKERS", said)

    with pytest.raises(StackError, match=f"'{said}' is no number of workers .*SLUICE_CELERY_WORKERS"):
        workers.count()


def test_without_a_broker_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(StackError, match="there is no redis-server on this machine"):
        workers.count()


@pytest.mark.integration
def test_what_waits_outlives_the_broker(state: State) -> None:
    import redis

    workers.prepare(state)
    for number in range(2):
        process = subprocess.Popen(workers.command(state), stdout=subprocess.DEVNULL)
        eventually(lambda: workers.broker_health(state, 0).ok)
        with redis.Redis(unix_socket_path=workers.broker(state).removeprefix("redis+socket://")) as client:
            assert client.llen("default") == number
            client.rpush("default", "a task")
        process.kill()
        process.wait()
    shutil.rmtree(state.control.parent)


@pytest.mark.integration
def test_a_broker_and_a_worker_that_are_away_are_not_well(state: State) -> None:
    workers.prepare(state)
    assert not workers.broker_health(state, 0).ok

    process = subprocess.Popen(workers.command(state), stdout=subprocess.DEVNULL)
    eventually(lambda: workers.broker_health(state, 0).ok)
    assert workers.health(state, "worker-1", 0).note == "no answer yet"
    process.kill()
    process.wait()
    shutil.rmtree(state.control.parent)
