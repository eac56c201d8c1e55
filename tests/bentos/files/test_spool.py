"""How an upload's bytes wait for their reader: in order, within bounds, and on disk where nobody reads the answer."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tabular.exchange import Hangup
from tabular.files.flow import Flow
from tabular.files.spool import Disk, Spool
from tabular.problem import ProblemError

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
        spool = Spool(caller.pieces(), caller.gone, Disk(), Flow(), memory=4000)
        await settled()
        assert caller.taken <= 4
        assert await everything(spool) == b"".join(PIECES)
        assert await spool.take(10) == b""
        await spool.close()

    run(story)


def test_bytes_wait_on_disk_while_the_caller_reads_nothing() -> None:
    async def story() -> None:
        caller = Caller(PIECES)
        spool = Spool(caller.pieces(), caller.gone, Disk(), Flow(), memory=4000)
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
        spool = Spool(caller.pieces(), caller.gone, Disk(), Flow(), memory=4000)
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
        spool = Spool(caller.pieces(), caller.gone, Disk(10_000), Flow(), memory=4000)
        spool.spill(True)
        await settled()
        assert caller.taken < 20
        await spool.close()

    run(story)


def test_all_uploads_of_a_process_together_hold_no_more_and_one_that_ends_makes_room() -> None:
    async def story() -> None:
        disk = Disk(10_000)
        callers = [Caller(PIECES), Caller(PIECES)]
        spools = [Spool(caller.pieces(), caller.gone, disk, Flow(), memory=4000) for caller in callers]
        for spool in spools:
            spool.spill(True)
            await settled()
        assert disk.held == sum(spool.spilled for spool in spools) <= 12_000
        await spools[0].close()
        spools[1].spill(True)
        await settled()
        assert disk.held == spools[1].spilled >= 9000
        assert await everything(spools[1]) == b"".join(PIECES)
        await spools[1].close()
        assert disk.held == 0

    run(story)


def test_what_was_read_back_counts_until_the_file_is_empty() -> None:
    async def story() -> None:
        caller, disk = Caller(PIECES), Disk(10_000)
        spool = Spool(caller.pieces(), caller.gone, disk, Flow(), memory=4000)
        spool.spill(True)
        await settled()
        assert disk.held == 10_000
        for _ in range(20):
            await spool.take(1000)
            spool.spill(True)
            await settled()
            assert disk.held <= 11_000
        await spool.close()

    run(story)


def test_a_process_takes_a_quarter_of_what_is_free(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert Disk(1 << 62, str(tmp_path)).bound == pytest.approx(free / 4, rel=0.05)
    assert Disk(1000, str(tmp_path)).bound == 1000


def test_a_disk_that_takes_nothing_ends_the_upload_with_a_reason(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "temp").mkdir()
        caller, disk = Caller(PIECES), Disk(folder=str(tmp_path / "temp"))
        spool = Spool(caller.pieces(), caller.gone, disk, Flow(), memory=4000)
        (tmp_path / "temp").rmdir()
        spool.spill(True)
        await settled()
        with pytest.raises(ProblemError, match="no room") as told:
            await everything(spool)
        assert (told.value.status, told.value.kind) == (503, "busy")
        await spool.close()

    run(story)


def test_few_bytes_are_handed_on_when_no_more_come_for_a_moment() -> None:
    async def story() -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.sleep(5)
            yield b"second"

        spool = Spool(slow(), asyncio.Event().wait, Disk(), Flow())  # type: ignore[arg-type]
        assert await spool.take(1000) == b"first"
        await spool.close()

    run(story)


def test_what_kept_the_upload_from_arriving_is_told() -> None:
    async def story() -> None:
        caller = Caller(PIECES[:2], ValueError("lost"))
        spool = Spool(caller.pieces(), caller.gone, Disk(), Flow())
        with pytest.raises(ValueError, match="lost"):
            await everything(spool)
        await spool.close()

    run(story)


def test_a_caller_who_hangs_up_after_sending_is_noticed() -> None:
    async def story() -> None:
        caller = Caller(PIECES)
        spool = Spool(caller.pieces(), caller.gone, Disk(), Flow())
        await settled()
        caller.left.set()
        await settled()
        with pytest.raises(Hangup):
            await spool.take(1000)
        await spool.close()

    run(story)


def test_a_caller_who_sends_too_slowly_is_given_up() -> None:
    async def story() -> None:
        async def slow() -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.05)
                yield b"x"

        spool = Spool(slow(), asyncio.Event().wait, Disk(), Flow(grace=0.5))  # type: ignore[arg-type]
        with pytest.raises(ProblemError, match="keep up 1000 a second") as told:
            await everything(spool)
        assert (told.value.status, told.value.kind) == (408, "body-too-slow")
        await spool.close()

    run(story)
