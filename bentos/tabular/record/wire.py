"""The wire: the log's connection to the warehouse, cut where the warehouse says nothing for too long."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg2

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

#: Seconds in which a warehouse that is there has ended any statement, by itself or by the limit that it is given.
SILENCE = 20.0
#: An allocator that has given so much back at once keeps what comes after: a block of an upload is some hundred KB
#: several times over, which the warehouse would ask of its system, and clear, for each one anew.
SETTLE = "SELECT length(repeat(' ', 1 << 24))"


class Wire:
    """A connection that one thread talks over, and any thread may cut.

    The driver waits for an answer for ever, and the warehouse cannot end a statement that it does not hear of.

    Args:
        dsn: The warehouse.
        name: Shown there as the application's.
        silence: Longest time for what is said at once, in seconds.
    """

    def __init__(self, dsn: str, name: str, silence: float = SILENCE) -> None:
        self._dsn = dsn
        self._name = name
        self._silence = silence
        self._link: Connection | None = None
        #: A second handle of the connection's socket: the driver may close its own at any moment.
        self._socket: socket.socket | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, for all that is known."""
        return self._link is not None

    def open(self) -> None:
        """Connect.

        Raises:
            psycopg2.Error: The warehouse does not answer.
        """
        self._link = psycopg2.connect(
            self._dsn,
            connect_timeout=3,
            application_name=self._name,
            # No statement here is long; one that hangs holds the queue up.
            options="-c statement_timeout=15000 -c timezone=UTC",
        )
        self._socket = socket.socket(fileno=os.dup(self._link.fileno()))
        with self.talk() as link, link, link.cursor() as cursor:
            cursor.execute(SETTLE)

    @contextmanager
    def talk(self) -> Iterator[Connection]:
        """Give the connection, for no longer than the warehouse may be silent.

        Raises:
            psycopg2.Error: There is none, or it was cut.
        """
        if self._link is None:
            raise psycopg2.InterfaceError("there is no connection")
        limit = threading.Timer(self._silence, self.cut)
        limit.start()
        try:
            yield self._link
        finally:
            limit.cancel()

    def cut(self) -> None:
        """Let whoever waits for the warehouse wait no longer: it fails."""
        if end := self._socket:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
