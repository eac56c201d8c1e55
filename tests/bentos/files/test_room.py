"""How long uploads wait for the log, and what they leave to single requests."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest

from tabular.files.blocks import MOST_ROWS
from tabular.files.room import Room


@dataclass
class Queue:
    """A queue that is worked off by hand."""

    capacity: int
    waiting: int = 0

    @property
    def room(self) -> int:
        return self.capacity - self.waiting


@pytest.mark.parametrize(("capacity", "block"), [(1_000_000, MOST_ROWS), (50_000, 12_500), (1000, 250), (1, 1)])
def test_several_blocks_fit_into_the_half_that_uploads_may_take(capacity: int, block: int) -> None:
    assert Room(Queue(capacity)).block == block


def test_half_of_the_queue_is_left_to_single_requests() -> None:
    queue = Queue(1000)
    room = Room(queue, patience=0.05)
    assert asyncio.run(room.wait(250))
    queue.waiting = 250
    assert asyncio.run(room.wait(250))
    queue.waiting = 251
    assert not asyncio.run(room.wait(250))


def test_an_upload_waits_as_long_as_the_queue_is_worked_off() -> None:
    queue = Queue(1000)
    room = Room(queue, patience=0.2)
    queue.waiting = 1000

    async def story() -> bool:
        waiting = asyncio.create_task(room.wait(250))
        for _ in range(10):
            await asyncio.sleep(0.1)
            queue.waiting -= 75
        return await waiting

    begun = time.monotonic()
    assert asyncio.run(story())
    assert time.monotonic() - begun > 0.9


def test_where_nothing_is_worked_off_only_the_first_block_waits() -> None:
    queue = Queue(1000)
    room = Room(queue, patience=0.3)
    queue.waiting = 900
    begun = time.monotonic()
    assert [asyncio.run(room.wait(250)) for _ in range(50)] == [False] * 50
    assert time.monotonic() - begun < 1
    queue.waiting = 0
    assert asyncio.run(room.wait(250))


def test_without_a_log_nobody_waits() -> None:
    assert Room(None).block == MOST_ROWS
    assert asyncio.run(Room(None).wait(10**9))
