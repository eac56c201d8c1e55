"""The upload: a CSV file of any size, answered row by row while it still comes in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from tabular.answers.desk import Desk, serving
from tabular.exchange import UTF8, Exchange, Header
from tabular.files.blocks import SIZE
from tabular.files.columns import split
from tabular.files.flow import Flow
from tabular.files.room import Room
from tabular.files.spool import Disk, Spool
from tabular.problem import ProblemError
from tabular.releases.standing import Release

if TYPE_CHECKING:
    from tabular.files.scorer import Part, Scorer

logger = logging.getLogger("bentoml.tabular")

#: Uploads at once in one process; single requests beside more of them would wait too long. One caller has one less.
MOST = 2
#: Blocks that are computed at the same time in one process, of all its uploads.
THREADS = min(2, os.cpu_count() or 1)
#: Seconds without a byte read after which the caller is taken for one who sends everything first.
STALLED = 0.5
#: Seconds in which a caller neither reads nor sends, after which it is given up.
PATIENCE = 60.0
#: Bytes of an answer that are sent at a time: so many must be read in those seconds.
SENT = 1 << 18

Given = TypeVarTuple("Given")
Made = TypeVar("Made")

MEDIA = b"text/csv; charset=utf-8"
HINT = "send CSV in UTF-8: curl -T rows.csv -H 'content-type: text/csv' <address> -o predictions.csv"


class Upload:
    """Answers uploads by the release that is the champion when they begin.

    The challenger takes no part: an upload is one request, and would be all of its share for a long time.

    Args:
        desk: Knows what serves, and takes notes.
        marks: Headers for an answer by a version.
        room: The log's, for uploads.
        who: Tells callers apart; one alone cannot take every place.
        disk: Where uploads wait whose callers read nothing yet.
        flow: Watches over one upload's pace.
        most: Uploads at once.
    """

    def __init__(
        self,
        desk: Desk,
        marks: Callable[[int | None], tuple[Header, ...]],
        room: Room,
        who: Callable[[Exchange], str],
        disk: Disk | None = None,
        flow: Callable[[], Flow] = Flow,
        most: int = MOST,
    ) -> None:
        self._desk = desk
        self._marks = marks
        self._room = room
        self._who = who
        self._disk = disk or Disk()
        self._flow = flow
        self._most = most
        #: Caller -> how many uploads of his.
        self._under_way: Counter[str] = Counter()
        # Threads of their own: what uploads keep busy, single requests do not wait for.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="upload")

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the rows in a request's body."""
        release = serving(self._desk.standing())
        exchange.expect("text/csv", HINT, UTF8 | {"header=present"})
        with contextlib.ExitStack() as place:
            place.enter_context(self._place(self._who(exchange)))
            flow = self._flow()
            spool = Spool(exchange.chunks(), exchange.gone, self._disk, flow)
            try:
                await self._answer(exchange, release, spool, flow)
                # Before the end is heard of: who hears it may send the next file at once.
                place.close()
                await _send(exchange.end(), spool, flow)
            finally:
                await spool.close()

    @contextlib.contextmanager
    def _place(self, caller: str) -> Iterator[None]:
        own, total = self._under_way[caller], self._under_way.total()
        if total >= self._most or own >= max(1, self._most - 1):
            whose = f"{total} uploads" if total >= self._most else f"{own} of your uploads"
            detail = f"{whose} under way; try again in a moment, or send the files one after the other"
            raise ProblemError(503, "busy", detail, headers={"retry-after": "5"})
        self._under_way[caller] += 1
        try:
            yield
        finally:
            # Whoever has none left is forgotten.
            self._under_way -= Counter({caller: 1})

    async def _answer(self, exchange: Exchange, release: Release, spool: Spool, flow: Flow) -> None:
        contents = self._contents(exchange, release, spool)
        # One block is computed while the one before it is sent.
        ahead = asyncio.create_task(_next(contents))
        try:
            while content := await ahead:
                ahead = asyncio.create_task(_next(contents))
                if not exchange.answered:
                    await exchange.begin(200, MEDIA, self._marks(release.version))
                for first in range(0, len(content), SENT):
                    piece = content[first : first + SENT]
                    await _send(exchange.write(piece), spool, flow)
                    flow.moved(len(piece))
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
            await contents.aclose()

    async def _contents(self, exchange: Exchange, release: Release, spool: Spool) -> AsyncGenerator[bytes, None]:
        """The answer piece by piece; the header comes with the first rows, so that a fault before them is told."""
        line, piece = await _header(spool)
        scorer = await self._aside(self._scorer, exchange, release, line)
        content = scorer.header
        rows = faulty = 0
        async with contextlib.aclosing(self._parts(exchange, release, scorer, spool, piece)) as parts:
            async for part in parts:
                await self._keep(release, part)
                rows, faulty = rows + part.echoed.size, faulty + part.echoed.faulty
                yield content + part.echoed.content
                content = b""
        yield content + b"\n"
        logger.info("upload %s: %d rows predicted, %d faulty", exchange.request_id, rows, faulty)

    async def _parts(
        self, exchange: Exchange, release: Release, scorer: Scorer, spool: Spool, piece: bytes
    ) -> AsyncGenerator[Part, None]:
        """The answers to blocks in their order, of which some are computed at the same time."""
        under_way: deque[asyncio.Future[Part]] = deque()
        try:
            last = False
            while not last:
                piece = piece or await spool.take(SIZE)
                last = not piece
                for block in await self._blamed(exchange, release, self._aside(scorer.cut, piece)):
                    under_way.append(asyncio.ensure_future(self._aside(scorer.answer, block)))
                    if len(under_way) > THREADS:
                        yield await self._blamed(exchange, release, under_way.popleft())
                # Whoever sends a little at a time waits for the answer to that.
                while under_way and len(piece) < SIZE:
                    yield await self._blamed(exchange, release, under_way.popleft())
                piece = b""
        finally:
            for each in under_way:
                each.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _blamed(self, exchange: Exchange, release: Release, work: Awaitable[Made]) -> Made:
        """Wait for what a release makes of some rows, and note it down where it fails."""
        try:
            return await work
        except Exception as error:
            self._desk.fail(release, "champion", exchange.request_id, error)
            raise

    async def _aside(self, work: Callable[[*Given], Made], *given: *Given) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *given)

    def _scorer(self, exchange: Exchange, release: Release, line: bytes) -> Scorer:
        from tabular.files.scorer import Scorer

        redaction = self._desk.redactor.of(release.bundle)
        return Scorer(release, line, redaction, exchange.request_id, self._room.block)

    async def _keep(self, release: Release, part: Part) -> None:
        """Note a block down, if the log has or gets room for it, and count it."""
        metrics, echoed = self._desk.metrics, part.echoed
        metrics.uploaded(echoed.size, echoed.faulty)
        if part.sheet is None:
            return
        if echoed.figure is not None:
            metrics.predicted(release.version, echoed.figure)
        if await self._room.wait(echoed.size):
            self._desk.note(part.sheet)
        else:
            metrics.dropped(echoed.size)


async def _header(spool: Spool) -> tuple[bytes, bytes]:
    """The header's line, and what came with it."""
    data, last = b"", False
    while (found := split(data, last)) is None:
        piece = await spool.take(SIZE)
        data, last = data + piece, not piece
    return found


async def _next(contents: AsyncGenerator[bytes, None]) -> bytes:
    return await anext(contents, b"")


async def _send(piece: Coroutine[Any, Any, None], spool: Spool, flow: Flow) -> None:
    """Send a piece of an answer, or its end; while the caller does not read it, take what else it sends.

    Raises:
        ProblemError: It neither reads nor sends any more, or too slowly.
        Exception: What kept the rest of the upload from arriving.
    """
    sending, begun = asyncio.ensure_future(piece), time.monotonic()
    try:
        with flow.waiting():
            while not (await asyncio.wait({sending}, timeout=STALLED))[0]:
                if spool.failed:
                    raise spool.failed
                spool.spill(True)
                flow.check()
                if min(time.monotonic() - begun, spool.idle) > PATIENCE:
                    raise ProblemError(408, "body-too-slow", f"the answer has not been read for {PATIENCE:g} s")
    finally:
        spool.spill(False)
        sending.cancel()
    await sending
