"""The prediction log: what was answered, and what could not be, written to the warehouse beside the answers' way."""

from __future__ import annotations

import io
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import date

import psycopg2

from tabular.record import entries
from tabular.record.entries import Line, Record
from tabular.record.heartbeat import Heartbeat
from tabular.record.wire import Wire

logger = logging.getLogger("bentoml.tabular")

#: Seconds between two batches, and most seconds between two tries to connect.
BATCH_EVERY = 0.25
LONGEST_PAUSE = 2.0
#: Predictions in one COPY; an upload's come as fast as transactions end, and half of its room holds two such.
BATCH_ROWS = 12_500
#: Bytes that are given to the driver at once.
PIECE = 1 << 18

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
        self._wire = Wire(dsn, f"sluice serving {use_case}")
        self._use_case = use_case
        self._heartbeat = heartbeat
        self._capacity = capacity
        self._on_drop = on_drop
        self._on_write = on_write
        self._waiting: deque[Line] = deque()
        #: Taken from the queue and not settled yet; the last one is written next.
        self._batches: list[Sequence[Line]] = []
        #: Whether that one may have been written already: its end was asked for, and not heard of.
        self._in_doubt = False
        self._rows = 0
        self._lock = threading.Lock()
        self._stop, self._full = threading.Event(), threading.Event()
        self._deadline = float("inf")
        self._days: set[date] = set()
        #: Whether the last heartbeat was written.
        self._is_shown = True
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
        taken = record.size <= self.room and self._put(record)
        if not taken:
            self._on_drop(record.size)

    def _put(self, record: Record) -> bool:
        try:
            line = entries.line(record, self._use_case)
        except (ValueError, OverflowError) as error:
            logger.error("an answer cannot be logged: %s", _first_line(error))
            return False
        with self._lock:
            taken = line.size <= self.room
            if taken:
                self._rows += line.size
                self._waiting.append(line)
                if self._rows >= BATCH_ROWS:
                    # A whole batch does not wait for its moment: uploads wait for room.
                    self._full.set()
        return taken

    def close(self, patience: float = 5.0) -> None:
        """Write what waits, take the heartbeat back, end.

        Args:
            patience: Longest time for all that, in seconds; rows that still wait then are dropped.
        """
        self._deadline = time.monotonic() + patience
        self._stop.set()
        self._full.set()
        if self._thread.is_alive():
            self._thread.join(timeout=patience)
            # Where it waits for the warehouse it would write, perhaps, what is counted as dropped now.
            self._wire.cut()
            self._thread.join(timeout=1)
        with self._lock:
            lost, self._capacity = self._rows, 0
            # A thread that works on may be done with the batch at this moment.
            doubtful = sum(line.size for batch in self._batches[-1:] for line in batch) if self._in_doubt else 0
        if lost:
            logger.error("%d predictions could not be logged before the end", lost)
            self._on_drop(lost)
        if doubtful:
            logger.error(
                "%d of them may be there nevertheless: the warehouse never said how their write ended", doubtful
            )

    def _run(self) -> None:
        failures = 0
        while not (self._stop.is_set() and (not self._rows or self._is_late())):
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

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline

    def _pause(self, failures: int) -> None:
        if self._stop.is_set():
            time.sleep(BATCH_EVERY if failures else 0)
        elif failures:
            self._stop.wait(pause(failures))
        else:
            self._full.wait(pause(failures))
            self._full.clear()

    def _work(self) -> None:
        """One round: a heartbeat where it is due, then everything that waits."""
        self._connect()
        self._beat()
        # What comes meanwhile waits for the next round: written as it comes, every answer would be a transaction.
        due = len(self._waiting)
        while (self._batches or due) and not self._is_late():
            if not self._batches:
                self._batches.append(self._take(due))
                due -= len(self._batches[-1])
            self._write(self._batches[-1])
            self._beat()

    def _take(self, most: int) -> Sequence[Line]:
        batch: list[Line] = []
        rows = 0
        while len(batch) < most and (not batch or rows + self._waiting[0].size <= BATCH_ROWS):
            line = self._waiting.popleft()
            batch.append(line)
            rows += line.size
        return batch

    def _write(self, batch: Sequence[Line]) -> None:
        """Write a batch whole; where a record is the fault, leave the halves, until only that one is left out."""
        in_doubt = self._in_doubt
        try:
            self._copy(batch)
        except psycopg2.errors.UniqueViolation:
            # What is there already was written by a try whose end was never heard of: as a whole, like everything.
            if in_doubt or len(batch) == 1:
                self._settle(self._on_write)
            else:
                self._halve()
        except (psycopg2.DataError, psycopg2.IntegrityError) as error:
            if len(batch) > 1:
                self._halve()
            else:
                logger.error("an answer cannot be logged: %s", _first_line(error))
                self._settle(self._on_drop)
        else:
            self._settle(self._on_write)

    def _copy(self, batch: Sequence[Line]) -> None:
        days = {line.day for line in batch if line.day}
        answers = [line for line in batch if line.day]
        failures = [line for line in batch if not line.day]
        with self._wire.talk() as link, link, link.cursor() as cursor:
            for day in days - self._days:
                cursor.execute(ENSURE_PARTITION, {"day": day})
            if answers:
                cursor.copy_expert(entries.ANSWERS, io.BytesIO(entries.copied(answers)), PIECE)
            if failures:
                cursor.copy_expert(entries.FAILURES, io.BytesIO(entries.copied(failures)), PIECE)
            # From here to the answer to the commit nobody can tell, if the connection ends.
            self._in_doubt = True
        self._days.update(days)

    def _settle(self, tell: Callable[[int], None]) -> None:
        """Be done with a batch, one way or the other."""
        size = sum(line.size for line in self._batches.pop())
        self._in_doubt = False
        with self._lock:
            self._rows -= size
        tell(size)

    def _halve(self) -> None:
        batch = self._batches.pop()
        middle = len(batch) // 2
        self._batches += [batch[middle:], batch[:middle]]
        self._in_doubt = False

    def _beat(self) -> None:
        """Show that this process lives; where nothing but that fails, answers are written nevertheless."""
        if not self._heartbeat.is_due():
            return
        with self._wire.talk() as link:
            try:
                self._heartbeat.beat(link)
            # Whatever else is wrong with it, it is not the answers'.
            except Exception as error:
                if link.closed:
                    raise
                if self._is_shown:
                    logger.error("the heartbeat cannot be written: %s", _first_line(error))
                self._is_shown = False
                return
        self._is_shown = True
        self._on_write(0)

    def _connect(self) -> None:
        if not self._wire.is_open:
            self._wire.open()
            with self._wire.talk() as link:
                self._heartbeat.bury_dead_neighbours(link)

    def _leave(self) -> None:
        if not self._wire.is_open:
            return
        try:
            with self._wire.talk() as link:
                self._heartbeat.take_back(link)
        except psycopg2.Error as error:
            logger.warning("the heartbeat could not be taken back: %s", _first_line(error))
        self._disconnect()

    def _disconnect(self) -> None:
        self._days.clear()
        self._heartbeat.forget()
        self._wire.close()


def pause(failures: int) -> float:
    """Seconds until the next round, after so many in a row that failed; random, so that workers do not come at once."""
    if not failures:
        return BATCH_EVERY
    # A power of a day's failures would be no number any more.
    return min(BATCH_EVERY * 2.0 ** min(failures, 10), LONGEST_PAUSE) * random.uniform(0.5, 1)  # noqa: S311


def _first_line(error: BaseException) -> str:
    """What came first: the connection's end makes the end of a transaction fail too."""
    while error.__context__:
        error = error.__context__
    return str(error).strip().partition("\n")[0] or type(error).__name__
