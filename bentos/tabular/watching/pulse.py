"""The pulse: shows every second what no event tells of."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tabular.record.log import Log
from tabular.releases.standing import Standing
from tabular.watching.metrics import Metrics

#: Seconds between two beats.
EVERY = 1.0


class Pulse:
    """Shows what serves and how much waits to be logged, in a thread of its own.

    Whoever scrapes reaches one worker, which cannot look into the others: each shows its own state, whatever else it is
    doing. On the way of the answers it would cost every one of them; in the log's thread a warehouse that does not
    answer would hold it up, and that is when it is looked at.

    Args:
        metrics: Where it is shown.
        standing: Gives what serves now.
        log: None where nothing is logged.
    """

    def __init__(self, metrics: Metrics, standing: Callable[[], Standing], log: Log | None) -> None:
        self._metrics = metrics
        self._standing = standing
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to show."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()

    def beat(self) -> None:
        """Show how things are."""
        self._metrics.serving(self._standing())
        if self._log:
            self._metrics.waiting(self._log.waiting)

    def _run(self) -> None:
        self.beat()
        while not self._stop.wait(EVERY):
            self.beat()
