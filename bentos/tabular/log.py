"""The prediction log: what was answered, and what could not be, written to the warehouse beside the answers' way."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

import psycopg2

from tabular import entries
from tabular.entries import Entry, Failure, Record
from tabular.heartbeat import Heartbeat

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

logger = logging.getLogger("bentoml.tabular")

#: Seconds between two batches, and most seconds between two tries to connect.
BATCH_EVERY = 0.25
LONGEST_PAUSE = 10.0
#: Predictions in one COPY.
BATCH_ROWS = 5000

ENSURE_PARTITION = "SELECT serving.ensure_partition(%(day)s)"


class Log:
    """Writes to the warehouse in a thread of its own; what its queue cannot hold is dropped and counted.

    Args:
        dsn: The warehouse.
        use_case: Whose predictions.
        heartbeat: Kept on the same connection.
        capacity: Most predictions that wait.
        on_drop: Told how many predictions were dropped.
        on_write: Told how many predictions the warehouse took, 0 where it took only a heartbeat.
    """

    def __init__(
        self,
        dsn: str,
        use_case: str,
        heartbeat: Heartbeat,
        capacity: int,
        on_drop: Callable[[int], None] = lambda _: None,
        on_write: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._dsn = dsn
        self._use_case = use_case
        self._heartbeat = heartbeat
        self._capacity = capacity
        self._on_drop = on_drop
        self._on_write = on_write
        self._waiting: deque[Record] = deque()
        self._rows = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._link: Connection | None = None
        self._days: set[date] = set()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many predictions wait."""
        return self._rows

    @property
    def room(self) -> int:
        """How many predictions it can take now."""
        return self._capacity - self._rows

    def offer(self, record: Record) -> None:
        """Take a record if there is room for it; never waits, never fails."""
        with self._lock:
            taken = record.size <= self._capacity - self._rows
            if taken:
                self._rows += record.size
                self._waiting.append(record)
        if not taken:
            self._on_drop(record.size)

    def close(self, patience: float = 5.0) -> None:
        """Write what waits, take the heartbeat back, end.

        Args:
            patience: Longest time for all that, in seconds; rows that still wait then are dropped.
        """
        self._deadline = time.monotonic() + patience
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=patience + 1)
        if self._rows:
            logger.error("%d predictions could not be logged before the end", self._rows)
            self._on_drop(self._rows)

    def _run(self) -> None:
        failures = 0
        while not (self._stop.is_set() and (not self._waiting or time.monotonic() > self._deadline)):
            try:
                self._work()
                if failures:
                    logger.info("the warehouse answers again")
                failures = 0
            # Whatever the database or the way to it comes up with: answers go on and rows wait.
            except Exception as error:
                failures += 1
                if failures == 1:
                    logger.warning("predictions wait, the warehouse does not take them: %s", _first_line(error))
                self._disconnect()
            self._pause(failures)
        self._leave()

    def _pause(self, failures: int) -> None:
        if self._stop.is_set():
            time.sleep(BATCH_EVERY if failures else 0)
        elif failures:
            self._stop.wait(min(BATCH_EVERY * 2**failures, LONGEST_PAUSE) * random.uniform(0.5, 1))  # noqa: S311
        else:
            self._stop.wait(BATCH_EVERY)

    def _work(self) -> None:
        """One round: a heartbeat where it is due, then everything that waits."""
        self._beat()
        while self._waiting:
            batch = self._take()
            try:
                self._write(batch)
            except Exception:
                # Back to the front: the queue keeps its order and its count.
                self._waiting.extendleft(reversed(batch))
                raise
            with self._lock:
                self._rows -= sum(record.size for record in batch)
            self._beat()

    def _take(self) -> list[Record]:
        batch: list[Record] = []
        rows = 0
        while self._waiting and (not batch or rows + self._waiting[0].size <= BATCH_ROWS):
            record = self._waiting.popleft()
            batch.append(record)
            rows += record.size
        return batch

    def _write(self, batch: Sequence[Record]) -> None:
        """Write a batch whole; where a record is the fault, halve until only that one is left out."""
        link = self._connected()
        days = {record.predicted_at.date() for record in batch if isinstance(record, Entry)}
        try:
            with link, link.cursor() as cursor:
                for day in days - self._days:
                    cursor.execute(ENSURE_PARTITION, {"day": day})
                if days:
                    cursor.copy_expert(entries.ANSWERS, entries.answers(batch, self._use_case))
                if any(isinstance(record, Failure) for record in batch):
                    cursor.copy_expert(entries.FAILURES, entries.failures(batch, self._use_case))
            self._days.update(days)
        # The two that are not the database's: what cannot even be written as text.
        except (psycopg2.DataError, psycopg2.IntegrityError, ValueError, OverflowError) as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._write(batch[:middle])
                self._write(batch[middle:])
            # What is there already was written by a try whose end was never heard of.
            elif isinstance(error, psycopg2.errors.UniqueViolation):
                self._on_write(batch[0].size)
            else:
                logger.error("an answer cannot be logged: %s", _first_line(error))
                self._on_drop(batch[0].size)
        else:
            self._on_write(sum(record.size for record in batch))

    def _beat(self) -> None:
        if self._heartbeat.is_due():
            self._heartbeat.beat(self._connected())
            self._on_write(0)

    def _connected(self) -> Connection:
        if self._link is None:
            self._link = psycopg2.connect(
                self._dsn,
                connect_timeout=3,
                application_name=f"sluice serving {self._use_case}",
                # No statement here is long; one that hangs holds the queue up.
                options="-c statement_timeout=15000 -c timezone=UTC",
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
            self._heartbeat.bury_dead_neighbours(self._link)
        return self._link

    def _leave(self) -> None:
        if self._link is None:
            return
        try:
            self._heartbeat.take_back(self._link)
        except psycopg2.Error as error:
            logger.warning("the heartbeat could not be taken back: %s", _first_line(error))
        self._disconnect()

    def _disconnect(self) -> None:
        self._days.clear()
        self._heartbeat.forget()
        if self._link is not None:
            self._link.close()
            self._link = None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
