"""A release starts as a process from its bento alone, is judged by its URL, and says how it stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import psutil
import pytest

from sluice.adapters.bundles import Bundle
from sluice.domain.release import Release, Stopped
from sluice.release import process
from sluice.release.probe import Probe
from tests.unit.conftest import MakeBundle
from tests.unit.release.conftest import POLICY, Judge, verdicts

START = "no image was built: the engine is none"

#: Starts the release anew.
Start = Callable[[], AbstractContextManager[Probe]]


@pytest.fixture
def start(release: Release) -> Start:
    return lambda: process.started(release, POLICY.ready_seconds, START)


@pytest.fixture(scope="module")
def running(release: Release) -> Iterator[Probe]:
    """A release that no test stops."""
    with process.started(release, POLICY.ready_seconds, START) as probe:
        yield Probe(probe.started, stop=lambda _: Stopped(0.1, 0))


def server_of(probe: Probe) -> psutil.Process:
    """The first process of a release; this one has other children too."""
    port = int(probe.started.url.rsplit(":", 1)[1])
    [server] = [child for child in psutil.Process().children() if port in ports_of(child)]
    return server


def ports_of(child: psutil.Process) -> set[int]:
    return {place.laddr.port for place in child.net_connections("tcp") if place.status == psutil.CONN_LISTEN}


def test_a_good_release_is_servable_and_stops_when_it_is_told_to(start: Start, judge: Judge) -> None:
    with start() as probe:
        evidence = judge(probe)

    assert verdicts(evidence) == {
        "ready": "pass",
        "golden_parity": "pass",
        "bad_input": "pass",
        "latency_p99": "pass",
        "stops": "pass",
        "image": "pass",
    }
    assert evidence.notes == ("started as a process: no image was built: the engine is none",)


def test_a_release_that_stops_says_so_and_leaves_no_process(start: Start) -> None:
    with start() as probe:
        server = server_of(probe)
        before = [server, *server.children()]
        stopped = probe.stop(POLICY.stop_seconds)

    assert stopped.exit_code in (0, 143)
    assert stopped.seconds is not None
    assert 0 < stopped.seconds < POLICY.stop_seconds
    assert len(before) >= 2
    assert not any(child.is_running() for child in before)


def test_a_release_that_hangs_is_killed_and_says_so(start: Start) -> None:
    with start() as probe:
        server_of(probe).suspend()

        assert probe.stop(0.5) == Stopped(seconds=None, exit_code=137)


def test_a_release_that_answers_otherwise_is_not_servable(
    running: Probe, judge: Judge, make_bundle: MakeBundle
) -> None:
    assert verdicts(judge(running, make_bundle(2.001)))["golden_parity"] == "fail"


def test_a_release_of_another_version_is_not_servable(running: Probe, judge: Judge) -> None:
    assert verdicts(judge(running, version=4))["golden_parity"] == "fail"


def test_a_slow_release_is_not_servable(running: Probe, judge: Judge) -> None:
    assert verdicts(judge(running, p99_ms=0.001))["latency_p99"] == "fail"


def test_a_release_that_refuses_its_example_is_not_servable(running: Probe, judge: Judge, bundle: Bundle) -> None:
    contract = bundle.contract.model_copy(update={"example": {"x": None}})
    evidence = judge(running, replace(bundle, contract=contract))
    [slow, stops] = [check for check in evidence.checks if check.verdict != "pass"]

    assert "answers 422 to its example" in slow.message
    assert "is answered by 422" in stops.message


def test_a_release_that_never_gets_ready_is_not_servable(release: Release, judge: Judge) -> None:
    with process.started(release, budget_seconds=0.2, reason=START) as hopeless:
        assert hopeless.started.ready_seconds is None
        assert verdicts(judge(hopeless))["ready"] == "fail"
        assert "its log ends" in hopeless.started.how


def test_a_port_that_another_took_in_the_meantime_costs_a_second_start(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        # The only way to lose the race on purpose.
        ports = iter([other.getsockname()[1], process.free_port()])
        monkeypatch.setattr(process, "free_port", lambda: next(ports))

        with start() as probe:
            assert probe.started.ready_seconds is not None
            assert list(ports) == []
