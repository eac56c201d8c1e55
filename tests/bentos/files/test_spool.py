"""How an upload's bytes wait for their reader: in order, within bounds, and on disk where nobody reads the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tabular.exchange import Hangup
from tabular.files.spool import Spool

PIECES = [bytes([number]) * 1000 for number in range(100)]


class Caller:
    """Sends pieces, and counts how many were taken."""

    def __init__(self, pieces: list[bytes], error: Exception | None = None) -> None:
        self.taken = 0
        self.left = asyncio.Event()
        self._pieces = pieces
        self._error = error

    async def pieces(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
            self.taken += 1
            await asyncio.sleep(0)
        if self._error:
            raise self._error

    async def gone(self) -> None:
        await self.left.wait()


def run(story: Callable[[], Awaitable[Any]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))  # type: ignore[arg-type]


async def settled() -> None:
    for _ in range(500):
        await asyncio.sleep(0)


async def everything(spool: Spool, most: int = 2500) -> bytes:
    read = []
    while piece := await spool.take(most):
        read.append(piece)
    return b"".join(read)


def test_bytes_come_in_order_and_not_many_at_once() -> None:
    async def story() -> None:
        caller = Caller(PIECES)
        spool = Spool(caller.pieces(), caller.gone, memory=4000)
        await settled()
        assert caller.taken <= 4
        assert await everything(spool) == b"".join(PIECES)
        assert await spool.take(10) == b""
        await spool.close()

    run(story)


def test_bytes_wait_on_disk_while_the_caller_reads_nothing() -> None:
    async def story() -> None:
        caller = Caller(PIECES)
        spool = Spool(caller.pieces(), caller.gone, memory=4000)
        await settled()
        spool.spill(True)
        await settled()
        assert caller.taken == len(PIECES)
        assert spool.spilled == 96_000
        spool.spill(False)
        assert await everything(spool) == b"".join(PIECES)
        assert spool.spilled == 0
        await spool.close()

    run(story)


def test_the_order_holds_when_the_caller_reads_again_in_between() -> None:
    async def story() -> None:
        caller = Caller(PIECES)
        spool = Spool(caller.pieces(), caller.gone, memory=4000)
        read = b""
        for turn in range(20):
            spool.spill(turn % 2 == 0)
            await asyncio.sleep(0)
            read += await spool.take(3000)
        spool.spill(False)
        assert read + await everything(spool) == b"".join(PIECES)
        await spool.close()

    run(story)


def test_no_more_waits_on_disk_than_may() -> None:
    async def story() -> None:
        caller = Caller(PIECES)
        spool = Spool(caller.pieces(), caller.gone, memory=4000, disk=10_000)
        spool.spill(True)
        await settled()
        assert caller.taken < 20
        await spool.close()

    run(story)


def test_few_bytes_are_handed_on_when_no_more_come_for_a_moment() -> None:
    async def story() -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.sleep(5)
            yield b"second"

        spool = Spool(slow(), asyncio.Event().wait)  # type: ignore[arg-type]
        assert await spool.take(1000) == b"first"
        await spool.close()

    run(story)


def test_what_kept_the_upload_from_arriving_is_told() -> None:
    async def story() -> None:
        caller = Caller(PIECES[:2], ValueError("lost"))
        spool = Spool(caller.pieces(), caller.gone)
        with pytest.raises(ValueError, match="lost"):
            await everything(spool)
        await spool.close()

    run(story)


def test_a_caller_who_hangs_up_after_sending_is_noticed() -> None:
    async def story() -> None:
        caller = Caller(PIECES)
        spool = Spool(caller.pieces(), caller.gone)
        await settled()
        caller.left.set()
        await settled()
        with pytest.raises(Hangup):
            await spool.take(1000)
        await spool.close()

    run(story)
