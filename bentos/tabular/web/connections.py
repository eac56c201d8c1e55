"""Connections: how long a caller may take to say what he wants, and in how many bytes, before there is a request.

Uvicorn sets no limit to either with its fast parser: connections that never ask for anything, or never come to the end
of their headers, would stay for ever. It also takes what follows a body for headers, and what follows the headers of a
request that offers another protocol (as Java's client and `curl --http2` do) for another request. BentoML passes no
parser of ours on to it, so ours takes the place of the one that uvicorn chooses by itself.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, ClassVar

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from tabular.exchange import WHOLE, Cut
from tabular.web.door import Lane

#: Of a request's first line and headers; also of a body that nobody reads any more.
MOST_BYTES = 65_536
#: How often in its time a connection is looked at.
LOOKS = 4


class Connection(HttpToolsProtocol):
    """A connection that owes a request's head, or the rest of a body that was answered already, for a while only."""

    #: For a head, from the connection's or the head's first byte on.
    seconds: ClassVar[float] = 10.0

    def __init__(self, config: Config, *given: Any, **named: Any) -> None:
        super().__init__(config, *given, **named)
        self.app = Lane(self.app, config.forwarded_allow_ips)
        #: Since when it owes something; None while it does not.
        self._owing: float | None = None
        self._bytes = 0
        #: Of the first line and the headers, once they are read.
        self._head = 0
        self._has_head = False
        #: Whether that is a head that has begun, so that somebody waits for an answer.
        self._asked = False
        self._timer: asyncio.TimerHandle | None = None
        #: The last request whose answer was begun.
        self._answered: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        corked: Any = Corked(transport, self.loop)
        super().connection_made(corked)
        self._owe()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)
        if self._answered:
            # Uvicorn tells the last of several requests that came at once, and the one that is answered fails.
            self._answered.disconnected = True
            self._answered.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._unset_keepalive_if_required()
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offered:
                # No other protocol is spoken here, which a server says by answering as if none had been offered.
                data = self._plain() + data[offered.args[0] :]
                self.parser.feed_data(data)
        # Nobody who means well offers again before the first offer is answered.
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._asked = True
            self._cut(431 if self._head > MOST_BYTES else 400)
            return
        if self._owing is not None:
            self._bytes += len(data)
            if self._bytes > MOST_BYTES:
                self._cut(431)
        elif self.cycle and self.cycle.response_complete:
            # Uvicorn has stopped its own clock for whatever that was, the rest of a body or an empty line.
            self._owe()

    def on_message_begin(self) -> None:
        """Wait for the end of a head that has begun."""
        super().on_message_begin()
        self._head, self._has_head = 0, False
        self._owe(asked=True)

    def on_url(self, url: bytes) -> None:
        """Take a piece of the first line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes after the body is none, and could pass for one that a proxy has looked at."""
        if not self._has_head:
            self._count(len(name) + len(value))
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there; how long the body may take is the application's to say."""
        self._has_head = True
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self._owing = None
        elif self.parser.get_method() == b"CONNECT":
            raise ValueError("this is no proxy")

    def on_message_complete(self) -> None:
        """The body is there, whether or not it was waited for."""
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self._owing = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, partial(self._run, cycle, app))

    async def _run(self, cycle: RequestResponseCycle, app: Any, scope: Any, *given: Any) -> None:
        if not cycle.more_body:
            scope[WHOLE] = True
        try:
            await app(scope, *given)
        except Cut:
            # Which tells uvicorn that nothing more is to be said, neither to the caller nor in the log.
            cycle.disconnected = True
            self.transport.close()
            # A caller who does not read what was written before would keep the connection open.
            self.loop.call_later(self.seconds, self.transport.abort)

    def on_response_complete(self) -> None:
        """Wait for the rest of a body that was not needed for the answer."""
        super().on_response_complete()
        if self.cycle.more_body and not self.pipeline:
            self._owe()

    def _owe(self, *, asked: bool = False) -> None:
        self._owing, self._bytes, self._asked = self.loop.time(), 0, asked

    def _is_silent(self) -> bool:
        """Whether no answer is under way, or due to another request first."""
        if self.cycle is None or self.cycle.response_complete:
            return True
        return self._has_head and not self.cycle.response_started and not self.pipeline

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MOST_BYTES:
            raise ValueError("the head is too large")

    def _plain(self) -> bytes:
        """The head of a request that offers another protocol, without the offer."""
        version = self.parser.get_http_version().encode("ascii")
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _watch(self) -> None:
        if self.transport.is_closing():
            return
        if self._owing is not None and self.loop.time() - self._owing > self.seconds:
            self._cut(408)
        else:
            self._timer = self.loop.call_later(self.seconds / LOOKS, self._watch)

    def _cut(self, status: int) -> None:
        """Close the connection, and say why where somebody waits for an answer and none is under way."""
        if not self.transport.is_closing():
            if self._asked and self._is_silent():
                self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()


class Corked:
    """A transport that sends an answer's head together with the beginning of its body: each is a call of the system.

    Args:
        transport: What sends.
        loop: The head waits no longer than until its next round.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._soon = loop.call_soon
        self._held: bytes | None = None
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Send, or hold until there is more."""
        if self._held is None:
            self._held = data
            self._soon(self.flush)
        else:
            held, self._held = self._held, None
            self._transport.writelines((held, data))

    def flush(self) -> None:
        """Send what is held."""
        if self._held is not None:
            held, self._held = self._held, None
            self._transport.write(held)

    def close(self) -> None:
        """Close once everything is sent."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._held = None
        self._transport.abort()


def bound(seconds: float) -> None:
    """Let every connection of this process owe a request's head, or the rest of a body, for so long at most."""
    Connection.seconds = seconds
    auto.AutoHTTPProtocol = Connection
