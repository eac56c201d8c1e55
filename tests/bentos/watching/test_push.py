"""The push: the metrics of a server at a real Pushgateway that asks for a name and a password."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, USE_CASE
from tests.bentos.servers import Service, eventually, free_port

pytestmark = pytest.mark.prometheus

USER, PASSWORD = "sluice", "only-for-tests"
LOCK = "sluice/push.lock"
#: The password by bcrypt, which is how the gateway keeps it.
KNOWN = f"basic_auth_users:\n  {USER}: $2b$04$abcdefghijklmnopqrstuuSOASZ5gFdIXxQU/MI4albXfVKBHc6R2\n"


@dataclass
class Gateway:
    """A Pushgateway that keeps what it is given in memory."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        (self.folder / "web.yml").write_text(KNOWN)
        options = [f"--web.listen-address=127.0.0.1:{self.port}", f"--web.config.file={self.folder}/web.yml"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["prometheus-pushgateway", *options, "--persistence.file="], stdout=log, stderr=log
            )
        eventually(self._answers)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def groups(self) -> list[dict[str, Any]]:
        """What was pushed, by group."""
        answer = httpx.get(f"{self.url}/api/v1/metrics", auth=(USER, PASSWORD)).raise_for_status()
        groups: list[dict[str, Any]] = answer.json()["data"]
        return groups

    def value(self, name: str, **labels: str) -> float:
        """The sum of the pushed series of one name that have these labels."""
        return sum(
            float(series["value"])
            for group in self.groups()
            for series in group.get(name, {}).get("metrics", ())
            if labels.items() <= series["labels"].items()
        )

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/-/ready", auth=(USER, PASSWORD)).status_code == 200
        return False


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that does not run yet."""
    made = Gateway(tmp_path_factory.mktemp("gateway"), free_port())
    yield made
    made.stop()


@pytest.fixture(scope="module")
def start(
    serve: Callable[..., Service], gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Service]:
    """Starts services that push, with the right password unless told otherwise."""
    bundle = bundles.write(tmp_path_factory.mktemp("bundle"))
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))

    def started(password: str = PASSWORD) -> Service:
        return serve(
            SLUICE_BUNDLE=str(bundle),
            SLUICE_WORKERS="2",
            SLUICE_PUSHGATEWAY=gateway.url,
            SLUICE_PUSHGATEWAY_USER=USER,
            SLUICE_PUSHGATEWAY_PASSWORD=password,
            SLUICE_PUSH_SECONDS="0.2",
        ).wait()

    return started


@pytest.fixture(scope="module")
def service(start: Callable[..., Service], gateway: Gateway) -> Service:
    """A service of two workers, started before its gateway."""
    service = start()
    eventually(lambda: "the metrics cannot be pushed" in service.log)
    gateway.start()
    return service


def test_a_gateway_that_is_away_is_told_of_once_and_pushed_to_when_it_comes(service: Service, gateway: Gateway) -> None:
    eventually(gateway.groups)
    assert service.log.count("the metrics cannot be pushed") == 1
    assert "the metrics can be pushed again" in service.log


def test_one_group_holds_the_series_of_all_workers(service: Service, gateway: Gateway) -> None:
    eventually(lambda: gateway.value("release_loads_total", outcome="swapped") == 2)
    for _ in range(20):
        assert service.predict(EXAMPLE).status_code == 200
    assert eventually(lambda: gateway.value("pred_requests_total", outcome="ok") == 20)
    (group,) = gateway.groups()
    assert (group["labels"]["job"], group["labels"]["use_case"]) == ("sluice", USE_CASE)
    assert group["labels"]["instance"]
    assert service.process
    workers = psutil.Process(service.process.pid).children()
    assert [file.path for worker in workers for file in worker.open_files()].count(str(service.home / LOCK)) == 1


def test_another_worker_pushes_when_the_one_that_did_is_killed(service: Service, gateway: Gateway) -> None:
    assert service.process
    for number, worker in enumerate(psutil.Process(service.process.pid).children(), start=1):
        worker.kill()
        before = gateway.value("push_time_seconds")
        eventually(lambda before=before: gateway.value("push_time_seconds") > before + 0.3)
        eventually(lambda number=number: service.log.count("Completed startup hook") == 2 + number)


def test_the_end_of_a_server_takes_its_group_back(service: Service, gateway: Gateway) -> None:
    assert service.stop() == 0
    assert gateway.groups() == []


def test_a_wrong_password_is_told_of_and_not_shown(start: Callable[..., Service], gateway: Gateway) -> None:
    service = start(password="guessed")
    eventually(lambda: "the metrics cannot be pushed" in service.log)
    assert f"pushed to {gateway.url}: it answers 401" in service.log
    assert "guessed" not in service.log
    assert service.predict(EXAMPLE).status_code == 200
    assert gateway.groups() == []
