"""The push: brings the metrics to a Pushgateway, for deployments that nothing can scrape."""

from __future__ import annotations

import fcntl
import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError

from prometheus_client import delete_from_gateway, push_to_gateway
from prometheus_client.exposition import basic_auth_handler

from tabular.watching import exposition

logger = logging.getLogger("bentoml.tabular")

JOB = "sluice"
#: Longest time for one push, and for the end of it all, in seconds.
PATIENCE = 3.0


@dataclass(frozen=True)
class Gateway:
    """A Pushgateway.

    Attributes:
        url: Its address.
        user: Whom it knows; None where it asks nobody.
        every: Seconds between two pushes.
    """

    url: str
    user: str | None
    password: str
    every: float


class Push:
    """Pushes the series of the whole server, in a thread of its own.

    All workers' series lie in one folder, so one worker pushes for all: whichever holds the lock. The system takes the
    lock from a worker that dies, and the next one goes on.

    Args:
        gateway: Where to.
        use_case: With this host's name it makes the group that every push replaces.
        lock: A file that all workers of this server share.
    """

    def __init__(self, gateway: Gateway, use_case: str, lock: Path) -> None:
        self._gateway = gateway
        self._group = {"use_case": use_case, "instance": socket.gethostname()}
        self._path = lock
        self._lock: IO[bytes] | None = None
        self._well = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)

    def start(self) -> None:
        """Begin to push."""
        self._thread.start()

    def stop(self) -> None:
        """End, and take the group back: what nobody renews would look as if it were now for ever."""
        self._stop.set()
        self._thread.join(timeout=2 * PATIENCE)

    def _run(self) -> None:
        while True:
            self._try(self._push)
            if self._stop.wait(self._gateway.every):
                break
        if self._lock:
            self._try(partial(delete_from_gateway, **self._address()))
            self._lock.close()

    def _push(self) -> None:
        if self._is_mine():
            push_to_gateway(registry=exposition.collection(), **self._address())

    def _is_mine(self) -> bool:
        """Whether this worker is the one that pushes."""
        if self._lock is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = self._path.open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._lock = lock
        return True

    def _address(self) -> dict[str, Any]:
        gateway = self._gateway
        return {
            "gateway": gateway.url,
            "job": JOB,
            "grouping_key": self._group,
            "timeout": PATIENCE,
            "handler": partial(basic_auth_handler, username=gateway.user, password=gateway.password),
        }

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        # Whatever it is, answers go on; it is told once, until a push succeeds again.
        except Exception as error:
            if self._well:
                logger.warning("the metrics cannot be pushed to %s: %s", self._gateway.url, _words(error))
            self._well = False
        else:
            if not self._well:
                logger.info("the metrics can be pushed again")
            self._well = True


def _words(error: Exception) -> str:
    """What went wrong, with the gateway's own first line where it gave one."""
    if not isinstance(error, HTTPError):
        return f"{type(error).__name__}: {error}"
    first = error.read(200).decode(errors="replace").partition("\n")[0]
    return f"it answers {error.code} {first}".strip()
