"""The poll: processes that were started together do not ask together."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

from tabular.follow import Follower
from tabular.sources import Name, Pointer
from tests.bentos.bundles import USE_CASE
from tests.bentos.servers import eventually

POLL, LOOKS, FOLLOWERS = 0.1, 40, 4


class Empty:
    """A source that has nothing, and remembers when it was asked."""

    name: Name = "registry"

    def __init__(self) -> None:
        self.asked: list[float] = []

    def champion(self) -> Pointer | None:
        self.asked.append(time.monotonic())
        return None

    def challenger(self) -> Pointer | None:
        return None

    def fetch(self, version: int, folder: Path) -> Path:
        raise AssertionError("there is nothing to fetch")


def test_processes_that_start_together_ask_at_different_times() -> None:
    sources = [Empty() for _ in range(FOLLOWERS)]
    followers = [Follower([source], USE_CASE, "r" * 64, POLL) for source in sources]
    for follower in followers:
        follower.start()
    eventually(lambda: min(len(source.asked) for source in sources) >= LOOKS)
    for follower in followers:
        follower.stop()
    first, *others = ([at - source.asked[0] for at in source.asked[:LOOKS]] for source in sources)
    gaps = [after - before for before, after in pairwise(first)]
    # A machine that is busy makes a wait longer, never shorter.
    assert 0.8 * POLL <= min(gaps) < 0.9 * POLL
    apart = [abs(mine - theirs) > POLL / 10 for other in others for mine, theirs in zip(first, other, strict=True)]
    assert sum(apart) > len(apart) / 2
