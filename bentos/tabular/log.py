"""The prediction log: what was answered, written to the warehouse beside the answers' way."""

from __future__ import annotations

import csv
import io
import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg2

from tabular.heartbeat import Heartbeat
from tabular.outputs import Answer
from tabular.schema import Row

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

logger = logging.getLogger("bentoml.tabular")

#: Seconds between two batches, and most seconds between two tries to connect.
BATCH_EVERY = 0.25
LONGEST_PAUSE = 10.0
#: Rows in one COPY.
BATCH_ROWS = 5000

ENSURE_PARTITION = "SELECT serving.ensure_partition(%(day)s)"
COPY = """
COPY serving.predictions (
    prediction_id, request_id, use_case, model_version, features, prediction, label, probabilities,
    latency_ms, predicted_at
) FROM STDIN WITH (FORMAT csv)
"""


@dataclass(frozen=True)
class Entry:
    """One answered request.

    Attributes:
        rows: The instances, in the order of `names`.
        answers: One per row.
        latency_ms: From the request's arrival to its answer.
    """

    request_id: str
    version: int
    names: Sequence[str]
    rows: Sequence[Row]
    answers: Sequence[Answer]
    prediction_ids: Sequence[UUID]
    latency_ms: float
    predicted_at: datetime


class Log:
    """Writes to the warehouse in a thread of its own; what its queue cannot hold is dropped and counted.

    Args:
        dsn: The warehouse.
        use_case: Whose predictions.
        heartbeat: Kept on the same connection.
        capacity: Most rows that wait.
        on_drop: Told how many rows were dropped.
    """

    def __init__(
        self,
        dsn: str,
        use_case: str,
        heartbeat: Heartbeat,
        capacity: int,
        on_drop: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._dsn = dsn
        self._use_case = use_case
        self._heartbeat = heartbeat
        self._capacity = capacity
        self._on_drop = on_drop
        self._waiting: deque[Entry] = deque()
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

    def offer(self, entry: Entry) -> None:
        """Take an entry, or as many of its rows as there is room for; never waits, never fails."""
        with self._lock:
            taken = min(len(entry.rows), self._capacity - self._rows)
            self._rows += taken
            if taken:
                self._waiting.append(entry if taken == len(entry.rows) else _cut(entry, 0, taken))
        if taken < len(entry.rows):
            self._on_drop(len(entry.rows) - taken)

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
                self._rows -= sum(len(entry.rows) for entry in batch)
            self._beat()

    def _take(self) -> list[Entry]:
        batch: list[Entry] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0].rows) <= BATCH_ROWS):
            entry = self._waiting.popleft()
            batch.append(entry)
            rows += len(entry.rows)
        return batch

    def _write(self, batch: Sequence[Entry]) -> None:
        """Write a batch whole; where a row is the fault, halve until only that row is left out."""
        link = self._connected()
        try:
            with link, link.cursor() as cursor:
                for day in {entry.predicted_at.date() for entry in batch} - self._days:
                    cursor.execute(ENSURE_PARTITION, {"day": day})
                cursor.copy_expert(COPY, _csv(batch, self._use_case))
            self._days.update(entry.predicted_at.date() for entry in batch)
        except (psycopg2.DataError, psycopg2.IntegrityError) as error:
            halves = list(_halves(batch))
            if len(halves) > 1:
                for half in halves:
                    self._write(half)
            # A row that is there already was written by a try whose end was never heard of.
            elif not isinstance(error, psycopg2.errors.UniqueViolation):
                logger.error("a prediction cannot be logged: %s", _first_line(error))
                self._on_drop(1)

    def _beat(self) -> None:
        if self._heartbeat.is_due():
            self._heartbeat.beat(self._connected())

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


def _csv(batch: Sequence[Entry], use_case: str) -> io.StringIO:
    text = io.StringIO()
    writer = csv.writer(text)
    for entry in batch:
        latency, moment = repr(entry.latency_ms), entry.predicted_at.isoformat()
        for row, answer, prediction_id in zip(entry.rows, entry.answers, entry.prediction_ids, strict=True):
            features = json.dumps(dict(zip(entry.names, row, strict=True)), ensure_ascii=False, allow_nan=False)
            identity = (prediction_id, entry.request_id, use_case, entry.version)
            writer.writerow((*identity, features, *_columns(answer), latency, moment))
    text.seek(0)
    return text


def _columns(answer: Answer) -> tuple[str, str, str]:
    """Prediction, label and probabilities; what is empty becomes null."""
    if answer.probabilities is None:
        return repr(answer.prediction), "", ""
    return "", str(answer.prediction), json.dumps(answer.probabilities, ensure_ascii=False, allow_nan=False)


def _cut(entry: Entry, start: int, end: int) -> Entry:
    return Entry(
        entry.request_id,
        entry.version,
        entry.names,
        entry.rows[start:end],
        entry.answers[start:end],
        entry.prediction_ids[start:end],
        entry.latency_ms,
        entry.predicted_at,
    )


def _halves(batch: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    if len(batch) > 1:
        yield from (batch[: len(batch) // 2], batch[len(batch) // 2 :])
        return
    (entry,) = batch
    middle = len(entry.rows) // 2
    if middle:
        yield [_cut(entry, 0, middle)]
        yield [_cut(entry, middle, len(entry.rows))]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
