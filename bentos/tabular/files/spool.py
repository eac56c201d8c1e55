"""The spool: an upload's bytes on their way from the caller to the reader."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO

from tabular.exchange import Hangup

#: Bytes that wait in memory.
MEMORY = 1 << 21
#: Bytes that may wait on disk, for a caller who sends everything before reading anything.
DISK = 1 << 32
#: Bytes that are read back from disk at a time.
PIECE = 1 << 18
#: Seconds without a further byte after which those that have come are handed on.
QUIET = 0.2


class Spool:
    """Takes bytes ahead of their reader: a few in memory, and the others on disk while the caller reads nothing.

    Many clients send everything before they read the first byte of an answer. Were nothing taken from them meanwhile,
    both sides would wait for each other for ever.

    Args:
        pieces: Gives the upload.
        gone: Returns when the caller hangs up after the upload's end.
        memory: Bytes that wait in memory.
        disk: Bytes that may wait on disk.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        gone: Callable[[], Awaitable[None]],
        memory: int = MEMORY,
        disk: int = DISK,
    ) -> None:
        self._pieces = pieces
        self._gone = gone
        self._memory = memory
        self._disk = disk
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._file: IO[bytes] | None = None
        self._written = self._read = 0
        self._spilling = False
        self._over = False
        self._failed: Exception | None = None
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._moved = time.monotonic()
        self._task = asyncio.create_task(self._pump())

    @property
    def idle(self) -> float:
        """Seconds since the last bytes came in."""
        return time.monotonic() - self._moved

    @property
    def spilled(self) -> int:
        """Bytes that wait on disk."""
        return self._written - self._read

    def spill(self, on: bool) -> None:
        """Say whether the caller reads nothing, so that what it sends must be taken without a reader."""
        self._spilling = on
        if on:
            self._room.set()

    async def take(self, most: int) -> bytes:
        """The next bytes: as many as asked for, or fewer when no more come for a moment; none at the end.

        Raises:
            Exception: What kept the upload from arriving, or the caller from waiting for the answer.
        """
        taken: list[bytes] = []
        size = 0
        while size < most:
            if self._failed:
                raise self._failed
            if piece := self._next():
                taken.append(piece)
                size += len(piece)
            elif self._over or not await self._more(QUIET if taken else None):
                break
        return b"".join(taken)

    async def close(self) -> None:
        """Take nothing more, and forget what waits."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._waiting.clear()
        if self._file:
            self._file.close()

    async def _more(self, seconds: float | None) -> bool:
        """Wait for further bytes, or for their end, and say whether either came."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        except TimeoutError:
            return False
        return True

    async def _pump(self) -> None:
        try:
            async for piece in self._pieces:
                self._put(piece)
                self._moved = time.monotonic()
                self._arrived.set()
                while self._is_full():
                    self._room.clear()
                    await self._room.wait()
            self._over = True
            self._arrived.set()
            await self._gone()
            self._failed = Hangup()
        # Whatever it is, the reader is told.
        except Exception as error:
            self._failed = error
        self._arrived.set()

    def _is_full(self) -> bool:
        return self._held >= self._memory and not (self._spilling and self.spilled < self._disk)

    def _put(self, piece: bytes) -> None:
        # In their order: once some wait on disk, those that come later do too.
        if self._held < self._memory and not self.spilled:
            self._waiting.append(piece)
            self._held += len(piece)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="sluice-upload-")  # noqa: SIM115 - closed with the spool
        self._file.seek(self._written)
        self._written += self._file.write(piece)

    def _next(self) -> bytes:
        piece = b""
        if self._waiting:
            piece = self._waiting.popleft()
            self._held -= len(piece)
        elif self._file and self.spilled:
            self._file.seek(self._read)
            piece = self._file.read(min(PIECE, self.spilled))
            self._read += len(piece)
            if not self.spilled:
                self._file.truncate(0)
                self._written = self._read = 0
        if not self._is_full():
            self._room.set()
        return piece
