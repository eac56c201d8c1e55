"""The end: does a release that is told to stop answer what it was asked, and end by itself?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from sluice.domain.contract import Contract
from sluice.domain.evidence import Check, bounded
from sluice.domain.policy import Servable
from sluice.domain.release import Started, Stopped

#: Ends a release: sends the signal, waits as many seconds, kills it after them, and says how it ended.
Stop = Callable[[float], Stopped]

#: How long after the order to stop the rest of the request follows: the signal has arrived by then.
SIGNAL_SECONDS = 0.5
#: Of a program that was told to end and did; the second is a shell's word for the signal.
CLEAN = (0, 143)


def stops(policy: Servable, started: Started, path: str, contract: Contract, stop: Stop) -> Check:
    """Stop a release while it reads a request, and see whether it answers that one and ends cleanly and in time."""
    with ThreadPoolExecutor(1) as pool, _Request(started.url, path, {"instances": [contract.example]}) as request:
        begun = request.begin()
        ending = pool.submit(stop, policy.stop_seconds)
        time.sleep(SIGNAL_SECONDS)
        answer = request.finish() if begun is None else begun
        stopped = ending.result()
    faults = []
    if answer != "200":
        faults.append(f"a request that it had begun to read when it was told to stop is answered by {answer}")
    if stopped.seconds is None:
        faults.append(f"it had to be killed after {policy.stop_seconds:g} s")
    elif stopped.exit_code not in CLEAN:
        faults.append(f"it ends with exit code {stopped.exit_code}")
    if faults:
        return Check(code="stops", verdict="fail", message="; ".join(faults), value=stopped.seconds)
    return bounded("stops", stopped.seconds or 0.0, "seconds until it has ended", maximum=policy.stop_seconds)


class _Request:
    """One request of which the release reads the first part now and the rest later."""

    def __init__(self, url: str, path: str, content: dict[str, Any]) -> None:
        place = urlsplit(url)
        self._connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
        self._path = path
        self._body = json.dumps(content).encode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._connection.close()

    def begin(self) -> str | None:
        """Send the head, and wait until the release asks for the body; says what came instead."""
        try:
            self._connection.putrequest("POST", self._path)
            self._connection.putheader("content-type", "application/json")
            self._connection.putheader("content-length", str(len(self._body)))
            # Whoever asks for the body has taken the request on: without this it could still be on its way.
            self._connection.putheader("expect", "100-continue")
            self._connection.endheaders()
            asked = self._connection.sock.recv(4096)
        except OSError as error:
            return type(error).__name__
        return None if asked.startswith(b"HTTP/1.1 100 ") else repr(asked[:100])

    def finish(self) -> str:
        """Send the body, and return the status of the answer or the error instead of one."""
        try:
            self._connection.send(self._body)
            return str(self._connection.getresponse().status)
        except (OSError, HTTPException) as error:
            return type(error).__name__
