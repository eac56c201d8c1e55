"""Room: how much of the log's queue uploads may take, and for how long they wait for it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from tabular.files.blocks import MOST_ROWS

#: Seconds between two looks at the queue.
EVERY = 0.005
#: Seconds without a row written after which rows of uploads are no longer held back.
PATIENCE = 1.0


class Queue(Protocol):
    """The log's queue."""

    @property
    def waiting(self) -> int:
        """How many predictions wait."""

    @property
    def room(self) -> int:
        """How many predictions it can take now."""


class Room:
    """Half of the log's queue; the other half is for single requests alone.

    An upload that waits makes its caller wait, so that as many rows are answered as the warehouse takes. Where it takes
    none at all, uploads go on and their rows are not logged.

    Args:
        queue: None where nothing is logged.
        patience: Seconds without a row written that an upload waits.
    """

    def __init__(self, queue: Queue | None, patience: float = PATIENCE) -> None:
        self._queue = queue
        self._patience = patience
        self._spared = (queue.waiting + queue.room) // 2 if queue else 0
        self._stuck = False

    @property
    def block(self) -> int:
        """Most rows of a block; several fit in."""
        return min(MOST_ROWS, max(1, self._spared // 2)) if self._queue else MOST_ROWS

    async def wait(self, size: int) -> bool:
        """Wait until so many rows fit in, and say whether they do."""
        if self._queue is None:
            return True
        seen, moved = self._queue.room, time.monotonic()
        while self._queue.room - size < self._spared:
            room = self._queue.room
            if room > seen:
                moved, self._stuck = time.monotonic(), False
            elif self._stuck or time.monotonic() - moved > self._patience:
                self._stuck = True
                return False
            seen = room
            await asyncio.sleep(EVERY)
        self._stuck = False
        return True
