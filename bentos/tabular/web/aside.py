"""Aside: large bodies are worked on in threads, a few at once, so that small requests need not wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TypeVar, TypeVarTuple

from tabular.problem import ProblemError

#: Bodies up to this many bytes are answered on the event loop; a thread would cost more than it spares.
INLINE = 65_536
#: Larger ones that are worked on at once; further ones are sent away, for each takes many times its size.
MOST_LARGE = 4

Given = TypeVarTuple("Given")
Made = TypeVar("Made")


class Aside:
    """The threads of one process, shared by whatever takes bodies.

    Args:
        most: Bodies that are worked on at once.
    """

    def __init__(self, most: int = MOST_LARGE) -> None:
        self._most = most
        self._room = BoundedSemaphore(most)
        self._threads = ThreadPoolExecutor(most, "large")

    async def run(self, work: Callable[[*Given], Made], *given: *Given) -> Made:
        """Do some work for a large body.

        Raises:
            ProblemError: There is as much to do as may be.
        """
        if not self._room.acquire(blocking=False):
            detail = f"{self._most} large requests are under way; ask again in a moment, or in smaller parts"
            raise ProblemError(503, "busy", detail, headers={"retry-after": "1"})
        under_way = self._threads.submit(work, *given)
        # Not when the caller leaves: the thread goes on until it is done.
        under_way.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(under_way)
