"""The spool: an upload's bytes on their way from the caller to the reader."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import IO

from tabular.exchange import Hangup
from tabular.files.flow import Flow
from tabular.problem import ProblemError

logger = logging.getLogger("bentoml.tabular")

#: Bytes that wait in memory.
MEMORY = 1 << 21
#: Bytes that may wait on disk in one process, for callers who send everything before reading anything.
DISK = 1 << 32
#: Of what is free on that disk, the part that one process may take. Others take theirs, and in a container files that
#: are mapped into memory may lie beside: where the disk is full, touching one of those ends its process.
SHARE = 4
#: Bytes that are read back from disk at a time.
PIECE = 1 << 18
#: Seconds without a further byte after which those that have come are handed on.
QUIET = 0.2


class Disk:
    """The folder in which the uploads of one process wait.

    What is free is asked for each time, so that several processes together leave some of it whatever they take.

    Args:
        most: Bytes that may wait.
        folder: For temporary files.
    """

    def __init__(self, most: int = DISK, folder: str | None = None) -> None:
        self._most = most
        self._folder = folder or tempfile.gettempdir()
        self.held = 0

    @property
    def bound(self) -> int:
        """Bytes that may wait now.

        Raises:
            OSError: The folder cannot be looked at.
        """
        return min(self._most, shutil.disk_usage(self._folder).free // SHARE)

    def file(self) -> IO[bytes]:
        """A file that is gone when it is closed.

        Raises:
            OSError: None can be made.
        """
        # Without a buffer, so that a full disk is told by the write that fills it.
        return tempfile.TemporaryFile(prefix="sluice-upload-", dir=self._folder, buffering=0)


class Spool:
    """Takes bytes ahead of their reader: a few in memory, and the others on disk while the caller reads nothing.

    Many clients send everything before they read the first byte of an answer. Were nothing taken from them meanwhile,
    both sides would wait for each other for ever.

    Attributes:
        failed: What kept the upload from arriving, or the caller from waiting for the answer.

    Args:
        pieces: Gives the upload.
        gone: Returns when the caller hangs up after the upload's end.
        disk: Where the others wait, with those of further uploads.
        flow: Told what comes in, and how long it is waited for.
        memory: Bytes that wait in memory.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        gone: Callable[[], Awaitable[None]],
        disk: Disk,
        flow: Flow,
        memory: int = MEMORY,
    ) -> None:
        self._pieces = pieces
        self._gone = gone
        self._disk = disk
        self._flow = flow
        self._memory = memory
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._file: IO[bytes] | None = None
        self._written = self._read = 0
        self._spilling = False
        self._over = False
        self.failed: Exception | None = None
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
            Exception: What has `failed`.
            ProblemError: The caller is too slow.
        """
        taken: list[bytes] = []
        size = 0
        while size < most:
            if self.failed:
                raise self.failed
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
        self._disk.held -= self._written
        self._written = self._read = 0

    async def _more(self, seconds: float | None) -> bool:
        """Wait for further bytes, or for their end, and say whether either came."""
        self._arrived.clear()
        with self._flow.waiting():
            try:
                async with asyncio.timeout(seconds):
                    await self._arrived.wait()
            except TimeoutError:
                return False
        self._flow.check()
        return True

    async def _pump(self) -> None:
        try:
            async for piece in self._pieces:
                self._put(piece)
                self._flow.moved(len(piece))
                self._moved = time.monotonic()
                self._arrived.set()
                while self._is_full():
                    self._room.clear()
                    await self._room.wait()
            self._over = True
            self._arrived.set()
            await self._gone()
            self.failed = Hangup()
        except OSError as error:
            logger.warning("an upload cannot wait on disk: %s", error)
            detail = "the service has no room for the file; read the answer while you send, as curl does, or send less"
            self.failed = ProblemError(503, "busy", detail, headers={"retry-after": "5"})
        # Whatever it is, the reader is told.
        except Exception as error:
            self.failed = error
        self._arrived.set()

    def _is_full(self) -> bool:
        if self._fits_memory():
            return False
        return not (self._spilling and self._disk.held < self._disk.bound)

    def _fits_memory(self) -> bool:
        # In their order: once some wait on disk, those that come later do too.
        return self._held < self._memory and not self.spilled

    def _put(self, piece: bytes) -> None:
        if self._fits_memory():
            self._waiting.append(piece)
            self._held += len(piece)
            return
        if self._file is None:
            self._file = self._disk.file()
        self._file.seek(self._written)
        rest = memoryview(piece)
        while rest:
            size = self._file.write(rest)
            self._written += size
            self._disk.held += size
            rest = rest[size:]

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
                self._disk.held -= self._written
                self._written = self._read = 0
        # Whoever fills it looks whether there is any.
        self._room.set()
        return piece
