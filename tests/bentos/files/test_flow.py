"""How fast an upload must go, and which time counts."""

from __future__ import annotations

import pytest

from tabular.files.flow import Flow
from tabular.problem import ProblemError
from tests.bentos.conftest import Clock


def test_whoever_moves_too_little_is_given_up_after_the_grace(clock: Clock) -> None:
    flow = Flow(floor=1000, grace=60, clock=clock)
    flow.moved(59_000)
    with flow.waiting():
        clock.now += 59
        flow.check()
        clock.now += 2
        with pytest.raises(ProblemError, match=r"59000 bytes .* in 61 s; keep up 1000"):
            flow.check()


def test_whoever_keeps_up_goes_on_for_ever(clock: Clock) -> None:
    flow = Flow(floor=1000, grace=60, clock=clock)
    for _ in range(1000):
        with flow.waiting():
            clock.now += 10
        flow.moved(10_001)
        flow.check()


def test_what_the_service_takes_does_not_count(clock: Clock) -> None:
    flow = Flow(floor=1000, grace=60, clock=clock)
    with flow.waiting():
        clock.now += 10
    clock.now += 10_000
    flow.check()


def test_waiting_for_both_ways_at_once_counts_once(clock: Clock) -> None:
    flow = Flow(floor=1000, grace=60, clock=clock)
    with flow.waiting():
        clock.now += 20
        with flow.waiting():
            clock.now += 20
        clock.now += 19
    flow.check()
    with flow.waiting():
        clock.now += 2
    with pytest.raises(ProblemError, match="in 61 s"):
        flow.check()
