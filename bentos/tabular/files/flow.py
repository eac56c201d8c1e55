"""The flow: how fast an upload goes while its caller is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tabular.problem import ProblemError

#: Bytes per second, sent and read together, that a caller keeps up at least.
FLOOR = 1000.0
#: Seconds of waiting before it is asked for.
GRACE = 60.0


@dataclass
class Flow:
    """Counts what an upload moves, and the time in which it could have; what the service itself takes does not count.

    Attributes:
        floor: Bytes per second, on average since the beginning.
        grace: Seconds of waiting before they are asked for.
        clock: Seconds, from any beginning.
    """

    floor: float = FLOOR
    grace: float = GRACE
    clock: Callable[[], float] = time.monotonic
    _bytes: int = field(default=0, init=False)
    _waited: float = field(default=0.0, init=False)
    _waits: int = field(default=0, init=False)
    """How many wait for the caller now: for what it sends, and until it reads."""
    _since: float = field(default=0.0, init=False)

    def moved(self, size: int) -> None:
        """Count bytes that came in or went out."""
        self._bytes += size

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time in which the caller is waited for; once, however many wait."""
        if not self._waits:
            self._since = self.clock()
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits:
                self._waited += self.clock() - self._since

    def check(self) -> None:
        """Give a caller up who is too slow.

        Raises:
            ProblemError: It is.
        """
        waited = self._waited + (self.clock() - self._since if self._waits else 0)
        if waited > self.grace and self._bytes < self.floor * waited:
            detail = f"{self._bytes} bytes were sent or read in {waited:.0f} s; keep up {self.floor:g} a second"
            raise ProblemError(408, "body-too-slow", detail, headers={"connection": "close"})
