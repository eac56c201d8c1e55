"""The shadow: a challenger that is given what the champion answered, seen by nobody."""

from __future__ import annotations

import logging
import queue
import threading
import time

from tabular.answers.desk import Call, Desk, score
from tabular.problem import trace
from tabular.releases.standing import Release

logger = logging.getLogger("bentoml.tabular")

#: Requests that wait; more are dropped and counted.
CAPACITY = 16


class Shadow:
    """Scores requests again, one after the other, in a thread of its own.

    Args:
        desk: Where answers are noted down.
        capacity: Most requests that wait.
    """

    def __init__(self, desk: Desk, capacity: int = CAPACITY) -> None:
        self._desk = desk
        self._waiting: queue.Queue[tuple[Release, Call]] = queue.Queue(capacity)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        """Begin to score."""
        self._thread.start()

    def stop(self) -> None:
        """End, at the latest when the request that is under way is over; what waits is dropped."""
        self._stop.set()
        self._thread.join(timeout=5)

    def offer(self, release: Release, call: Call) -> None:
        """Take a request, if there is room for it; never waits, never fails."""
        try:
            self._waiting.put_nowait((release, call))
        except queue.Full:
            self._desk.metrics.shadowed(release.version, "dropped")

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                release, call = self._waiting.get(timeout=0.5)
            except queue.Empty:
                continue
            try:
                outcome = self._score(release, call)
            # Whatever it is, the next request gets its turn.
            except Exception as error:
                logger.error("version %d in shadow: %s", release.version, trace(error))
                outcome = "failed"
            self._desk.metrics.shadowed(release.version, outcome)

    def _score(self, release: Release, call: Call) -> str:
        # This thread's own time: beside the requests under way it waits for its turn, which an answer would not.
        began = time.thread_time()
        try:
            scored = score(release, call)
        # Nobody is told but the log: whatever a challenger does, nobody waits for it.
        except Exception as error:
            self._desk.fail(release, "shadow", call.request_id, error)
            return "failed"
        seconds = (call.begun - call.started) + (time.thread_time() - began)
        self._desk.keep(release, "shadow", call.request_id, scored, seconds)
        return "ok"
