"""An exchange: one HTTP request and its answer, on the bare interface that a server offers to applications.

A framework's request, response and routes took a quarter of the time in which one row is answered.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

from tabular import ids
from tabular.problem import ProblemError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = b"application/json"
#: How the declaration of a type may go on.
UTF8 = frozenset({"charset=utf-8", "charset=utf8"})
#: Set in a request's scope where its whole body is there, so that nobody need wait for it.
WHOLE = "tabular.whole"
#: What a caller may choose as a request's id, or as the key that decides its side.
SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Hangup(Exception):
    """The caller is gone."""


class Cut(Exception):
    """An answer that has begun does not come to its end; why is in the log, and the connection is to be closed."""


class Bounds(NamedTuple):
    """What a request's body may take.

    Attributes:
        bytes: Its size, where it is read whole.
        seconds: Time for a whole body, or between two pieces of one that is streamed.
    """

    bytes: int
    seconds: float


class Exchange:
    """One HTTP request, and the way to answer it.

    Args:
        scope: What the server says of the request.
        receive: Gives the body piece by piece.
        send: Takes the answer.
        bounds: What the body may take.
        guards: Headers of every answer.

    Attributes:
        started: When it arrived, on the clock of `time.perf_counter`.
        request_id: The caller's where it is sane; a made-up one otherwise.
        answered: Whether an answer has begun.
        caller: Name of the key that it was let in by, or None.
        guards: A page has others than what programs read.
    """

    __slots__ = (
        "_bounds",
        "_headers",
        "_receive",
        "_send",
        "answered",
        "caller",
        "guards",
        "method",
        "path",
        "request_id",
        "scope",
        "started",
    )

    def __init__(
        self, scope: Message, receive: Receive, send: Send, bounds: Bounds, guards: tuple[Header, ...] = ()
    ) -> None:
        self.started = time.perf_counter()
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.answered = False
        self.caller: str | None = None
        self.guards = guards
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._bounds = bounds
        self.request_id = self.sane("x-request-id") or ids.request()

    def header(self, name: str) -> str:
        """A header's value, by its name in lower case; empty where it is absent."""
        return self._headers.get(name.encode("latin-1"), b"").decode("latin-1")

    def sane(self, name: str) -> str:
        """A header's value where it may be an id; empty otherwise."""
        given = self.header(name)
        return given if SANE_ID.fullmatch(given) else ""

    def expect(self, media: str, hint: str, parameters: frozenset[str] = UTF8) -> None:
        """Refuse a body that is not declared to be of a type, in UTF-8, and sent as it is.

        Args:
            media: The type.
            hint: What to send instead.
            parameters: Those that the type may have.

        Raises:
            ProblemError: It is declared to be something else, or nothing.
        """
        given = self.header("content-type").lower()
        if given != media:
            kind, _, rest = given.partition(";")
            told = {part for part in rest.replace(" ", "").replace('"', "").split(";") if part}
            if kind.strip() != media or not told <= parameters:
                raise ProblemError(415, "unsupported-media-type", hint)
        if self.header("content-encoding").lower() not in ("", "identity"):
            raise ProblemError(415, "unsupported-media-type", "send the body without a content-encoding")

    async def body(self, most: int) -> bytes:
        """The whole body.

        Args:
            most: Bytes that it may have, where it may not have fewer anyway.

        Raises:
            ProblemError: It is larger, or takes longer, than a body may.
            Hangup: The caller is gone.
        """
        if most > self._bounds.bytes:
            most = self._bounds.bytes
        declared = self.header("content-length")
        if declared.isdecimal() and int(declared) > most:
            raise self._too_large(most)
        if WHOLE in self.scope:
            return await self._whole(most)
        try:
            async with asyncio.timeout(self._bounds.seconds):
                return await self._whole(most)
        except TimeoutError:
            raise self._too_slow(f"a body may take {self._bounds.seconds:g} s") from None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece, of any size.

        Raises:
            ProblemError: The next piece takes longer than it may.
            Hangup: The caller is gone.
        """
        more = True
        while more:
            try:
                async with asyncio.timeout(self._bounds.seconds):
                    chunk, more = await self._piece()
            except TimeoutError:
                raise self._too_slow(f"the next piece of a body may take {self._bounds.seconds:g} s") from None
            if chunk:
                yield chunk

    async def gone(self) -> None:
        """Wait until the caller hangs up, once the whole body has come."""
        while (await self._receive())["type"] == "http.request":
            pass

    async def respond(
        self, content: bytes, status: int = 200, media: bytes = JSON, headers: Iterable[Header] = ()
    ) -> None:
        """Answer at once.

        Args:
            content: The body.
            status: Of HTTP.
            media: Its media type.
            headers: Beside type, length and the request's id.
        """
        await self.begin(status, media, ((b"content-length", b"%d" % len(content)), *headers))
        await self._send({"type": "http.response.body", "body": content})

    async def begin(self, status: int, media: bytes, headers: Iterable[Header] = ()) -> None:
        """Begin an answer whose body follows piece by piece."""
        self.answered = True
        own = (b"content-type", media), (b"x-request-id", self.request_id.encode("ascii"))
        await self._send({"type": "http.response.start", "status": status, "headers": [*own, *self.guards, *headers]})

    async def write(self, chunk: bytes) -> None:
        """Send a piece of an answer that has begun; waits while the caller does not read."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self) -> None:
        """End an answer that has begun; one that does not come to this is cut off, and the caller notices."""
        await self._send({"type": "http.response.body", "body": b""})

    async def _whole(self, most: int) -> bytes:
        body, more = await self._piece()
        if len(body) > most:
            raise self._too_large(most)
        if not more:
            return body
        chunks = [body]
        size = len(body)
        while more:
            chunk, more = await self._piece()
            size += len(chunk)
            if size > most:
                raise self._too_large(most)
            chunks.append(chunk)
        return b"".join(chunks)

    async def _piece(self) -> tuple[bytes, bool]:
        message = await self._receive()
        if message["type"] != "http.request":
            raise Hangup
        return message.get("body", b""), message.get("more_body", False)

    def _too_large(self, most: int) -> ProblemError:
        # The rest of it is not waited for.
        detail = f"a body may have {most} bytes"
        return ProblemError(413, "body-too-large", detail, headers={"connection": "close"})

    def _too_slow(self, detail: str) -> ProblemError:
        return ProblemError(408, "body-too-slow", detail, headers={"connection": "close"})
