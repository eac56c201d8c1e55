"""Pace: a caller's bucket empties and fills, and nobody else's with it."""

from __future__ import annotations

from itertools import repeat

import pytest

from tabular.web.pace import MOST_CALLERS, Pace, household
from tests.bentos.conftest import Clock


def test_as_many_as_the_bucket_holds_come_at_once_and_the_next_waits(clock: Clock) -> None:
    bucket = Pace(rate=10, burst=3, clock=clock)

    assert [bucket.wait("alice") for _ in range(3)] == [0, 0, 0]
    assert bucket.wait("alice") == pytest.approx(0.1)
    # Who is refused does not wait longer for having asked.
    assert bucket.wait("alice") == pytest.approx(0.1)


def test_the_bucket_fills_at_its_rate_and_holds_no_more_than_it_can(clock: Clock) -> None:
    bucket = Pace(rate=10, burst=3, clock=clock)
    for _ in range(3):
        bucket.wait("alice")

    clock.now += 0.1
    assert [bucket.wait("alice") == 0 for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [bucket.wait("alice") == 0 for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 1), (7, 3), (1000, 1000), (3, 50)])
def test_in_the_long_run_the_rate_is_kept(clock: Clock, rate: float, burst: int) -> None:
    bucket = Pace(rate, burst, clock)
    seconds, steps = 100, 20_000
    answered = 0
    for _ in repeat(None, steps):
        clock.now += seconds / steps
        answered += bucket.wait("alice") == 0

    assert answered == pytest.approx(min(rate * seconds + burst, steps), abs=2)


def test_one_callers_bucket_is_not_anothers(clock: Clock) -> None:
    bucket = Pace(rate=1, burst=1, clock=clock)
    bucket.wait("alice")

    assert bucket.wait("alice") > 0
    assert bucket.wait("bob") == 0


def test_any_number_of_callers_takes_bounded_memory_and_the_busy_are_remembered(clock: Clock) -> None:
    bucket = Pace(rate=1e-6, burst=2, clock=clock)
    bucket.wait("alice")
    for number in range(MOST_CALLERS - 1):
        bucket.wait(f"caller {number}")
    bucket.wait("alice")
    for number in range(MOST_CALLERS // 2):
        bucket.wait(f"stranger {number}")

    assert bucket.remembered == MOST_CALLERS
    assert bucket.wait("alice") > 0


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_a_network_of_ipv6_is_one_caller(address: str, caller: str) -> None:
    assert household(address) == caller
