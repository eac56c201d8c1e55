"""The book: late labels, each laid to its prediction and kept in the warehouse."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import psycopg2

from tabular import ids
from tabular.problem import Fault, ProblemError
from tabular.record import labels
from tabular.record.labels import Label
from tabular.releases.reading import refuse

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

logger = logging.getLogger("bentoml.tabular")

#: Seconds after which whoever was sent away may come again.
RETRY_AFTER = "5"

#: What is compared with the newest label must stay the newest until it is written.
LOCK = "SELECT pg_advisory_xact_lock(hashtext('serving.labels ' || %(use_case)s))"
#: A caller may give one request id to all that it ever asks: two answers are enough to know that it says too little.
FIND = """
SELECT answer_id::text, request_id, predicted_at, size
FROM serving.answers
WHERE use_case = %(use_case)s AND role <> 'shadow' AND answer_id = ANY(%(answer_ids)s::uuid[])
UNION
SELECT answer.answer_id::text, answer.request_id, answer.predicted_at, answer.size
FROM unnest(%(request_ids)s::text[]) AS wanted (request_id)
CROSS JOIN LATERAL (
    SELECT answer_id, request_id, predicted_at, size
    FROM serving.answers
    WHERE use_case = %(use_case)s AND role <> 'shadow' AND request_id = wanted.request_id
    LIMIT 2
) AS answer
"""
KEEP = """
WITH given AS (
    SELECT *
    FROM unnest(
        %(prediction_ids)s::uuid[], %(answer_ids)s::uuid[], %(places)s::integer[], %(numbers)s::double precision[],
        %(labels)s::text[], %(observed_at)s::timestamptz[]
    ) AS given (prediction_id, answer_id, place, true_number, true_label, observed_at)
),

-- Each answer is taken apart once.
answered AS MATERIALIZED (
    SELECT
        answer.answer_id, answer.request_id, answer.model_version, answer.role, answer.predicted_at,
        instance.place - 1 AS place, instance.prediction, instance.label, instance.probabilities
    FROM serving.answers AS answer
    CROSS JOIN LATERAL serving.instances(answer) AS instance
    WHERE answer.answer_id = ANY(%(answer_ids)s::uuid[]) AND answer.predicted_at = ANY(%(predicted_at)s::timestamptz[])
)

INSERT INTO serving.labels (
    prediction_id, answer_id, place, request_id, use_case, model_version, role, predicted_at, prediction, label,
    probabilities, true_number, true_label, observed_at, key_name
)
SELECT
    given.prediction_id, given.answer_id, given.place, answered.request_id, %(use_case)s, answered.model_version,
    answered.role, answered.predicted_at, answered.prediction, answered.label, answered.probabilities::jsonb,
    given.true_number, given.true_label, given.observed_at, %(key_name)s
FROM given
INNER JOIN answered ON given.answer_id = answered.answer_id AND given.place = answered.place
LEFT JOIN LATERAL (
    SELECT kept.true_number, kept.true_label, kept.observed_at
    FROM serving.labels AS kept
    WHERE kept.prediction_id = given.prediction_id
    ORDER BY kept.label_id DESC
    LIMIT 1
) AS newest ON true
WHERE
    (given.true_number, given.true_label) IS DISTINCT FROM (newest.true_number, newest.true_label)
    OR given.observed_at <> coalesce(newest.observed_at, 'infinity')
"""


class Answer(NamedTuple):
    """A row of the log."""

    answer_id: str
    request_id: str
    predicted_at: datetime
    size: int


class Found(NamedTuple):
    """A label, and the prediction that it is of."""

    label: Label
    answer: Answer
    place: int

    @property
    def prediction_id(self) -> str:
        """The answer's id, ending in the place; the first one's ends as it does."""
        whole = self.answer.answer_id
        return whole[: -ids.DIGITS] + ids.ending(self.place) if self.place else whole


@dataclass(frozen=True)
class Kept:
    """What became of some labels.

    Attributes:
        stored: How many are new, or correct an older one.
        unchanged: How many say what was known.
        unknown: Why the others could not be laid to a prediction.
    """

    stored: int
    unchanged: int
    unknown: Sequence[Fault]


class Book:
    """Keeps labels in the warehouse, over a connection of its own that is made when it is needed.

    Args:
        dsn: The warehouse.
        use_case: Whose predictions.
    """

    def __init__(self, dsn: str, use_case: str) -> None:
        self._dsn = dsn
        self._use_case = use_case
        self._link: Connection | None = None
        self._failed_at = 0.0

    def keep(self, given: Sequence[Label], key_name: str | None, asked: float) -> Kept:
        """Store what is new among some labels: all of it, or nothing.

        Args:
            given: The labels.
            key_name: Whose API key brought them.
            asked: When that was, on the clock of `time.monotonic`.

        Raises:
            ProblemError: The warehouse does not take them, or two are of the same prediction.
        """
        try:
            return self._keep(given, key_name, asked)
        # What these labels alone met is theirs: the warehouse is there, and takes those of others.
        except psycopg2.errors.QueryCanceled as error:
            detail = "the warehouse took too long with these labels; nothing was stored, send fewer of them at once"
            raise ProblemError(503, "busy", detail, headers={"retry-after": RETRY_AFTER}) from error
        except psycopg2.DataError as error:
            told = str(error).partition("\n")[0]
            logger.warning("labels are refused, the warehouse cannot hold them: %s", told)
            detail = f"the warehouse cannot hold these labels, or what they are of: {told}; nothing was stored"
            raise ProblemError(422, "contract", detail) from error

    def _keep(self, given: Sequence[Label], key_name: str | None, asked: float) -> Kept:
        if asked < self._failed_at:
            # It waited behind a try that failed; another one for each that waits would take minutes.
            raise away("the warehouse does not take labels now; send them again")
        if self._link is not None:
            try:
                return self._write(self._link, given, key_name)
            except (psycopg2.errors.QueryCanceled, psycopg2.DataError):
                raise
            # It may have been cut while it lay idle; what was written nevertheless changes nothing the second time.
            except psycopg2.Error:
                self.close()
        try:
            self._link = self._connect()
            return self._write(self._link, given, key_name)
        except (psycopg2.errors.QueryCanceled, psycopg2.DataError):
            raise
        except psycopg2.Error as error:
            self.close()
            self._failed_at = time.monotonic()
            logger.warning("labels are refused, the warehouse does not take them: %s", str(error).partition("\n")[0])
            raise away("the warehouse does not take labels now; nothing was stored, send them again") from error

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def _connect(self) -> Connection:
        return psycopg2.connect(
            self._dsn,
            connect_timeout=3,
            application_name=f"sluice feedback {self._use_case}",
            options="-c statement_timeout=5000 -c timezone=UTC",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            # A server that went without a word is noticed although something was sent to it.
            tcp_user_timeout=10_000,
        )

    def _write(self, link: Connection, given: Sequence[Label], key_name: str | None) -> Kept:
        named = {"use_case": self._use_case}
        with link, link.cursor() as cursor:
            cursor.execute(LOCK, named)
            cursor.execute(FIND, named | _wanted(given))
            found, unknown = match(given, [Answer(*row) for row in cursor.fetchall()])
            refuse(labels.twice([each.label for each in found], [each.prediction_id for each in found]))
            stored = 0
            if found:
                cursor.execute(KEEP, named | {"key_name": key_name} | _columns(found))
                stored = cursor.rowcount
        return Kept(stored, len(found) - stored, unknown)


def away(detail: str) -> ProblemError:
    """Labels cannot be kept now; says why."""
    return ProblemError(503, "warehouse-away", detail, headers={"retry-after": RETRY_AFTER})


def match(given: Sequence[Label], logged: Sequence[Answer]) -> tuple[list[Found], list[Fault]]:
    """Lay labels to predictions.

    Args:
        given: The labels.
        logged: Every answer that one of them may speak of.

    Returns:
        What belongs together, and why the other labels belong to nothing.
    """
    by_id = {answer.answer_id: answer for answer in logged}
    by_request = defaultdict(list)
    for answer in logged:
        by_request[answer.request_id].append(answer)
    found: list[Found] = []
    unknown: list[Fault] = []
    for label in given:
        one = _by_id(label, by_id) if label.prediction_id else _by_request(label, by_request[str(label.request_id)])
        if isinstance(one, Fault):
            unknown.append(one)
        else:
            found.append(one)
    return found, unknown


def _by_id(label: Label, logged: Mapping[str, Answer]) -> Found | Fault:
    for answer_id, place in _places(label.prediction_id):
        answer = logged.get(answer_id)
        if answer and place < answer.size:
            return Found(label, answer, place)
    allowed = "the prediction_id of an answer; it is known once it is logged, about a second later"
    return Fault(f"{label.path}.prediction_id", "is not in the log", str(label.prediction_id), allowed)


def _by_request(label: Label, logged: Sequence[Answer]) -> Found | Fault:
    path = f"{label.path}.request_id"
    if not logged:
        allowed = "the request_id of an answer; it is known once it is logged, about a second later"
        return Fault(path, "is not in the log", label.request_id, allowed)
    if len(logged) > 1:
        return Fault(path, "stands for several answers", label.request_id, "a prediction_id")
    [answer] = logged
    path, allowed = f"{label.path}.index", f"a whole number from 0 to {answer.size - 1}"
    if label.index is None and answer.size > 1:
        return Fault(path, f"is missing, and the answer has {answer.size} predictions", None, allowed)
    place = label.index or 0
    return Found(label, answer, place) if place < answer.size else Fault(path, "is out of range", place, allowed)


def _places(prediction_id: UUID | None) -> list[tuple[str, int]]:
    """The answers that a prediction may be of, and its place there: most ids end in it, old ones stand for all."""
    whole = str(prediction_id)
    return [ids.place(whole), (whole, 0)]


def _wanted(given: Sequence[Label]) -> dict[str, Any]:
    answer_ids = {name for label in given if label.prediction_id for name, _ in _places(label.prediction_id)}
    return {"answer_ids": list(answer_ids), "request_ids": list({label.request_id for label in given} - {None})}


def _columns(found: Sequence[Found]) -> dict[str, Any]:
    """The labels column by column; a label is a number or a class."""
    values = [each.label.value for each in found]
    return {
        "prediction_ids": [each.prediction_id for each in found],
        "answer_ids": [each.answer.answer_id for each in found],
        "places": [each.place for each in found],
        "predicted_at": [each.answer.predicted_at for each in found],
        "numbers": [value if isinstance(value, float) else None for value in values],
        "labels": [value if isinstance(value, str) else None for value in values],
        "observed_at": [each.label.observed_at for each in found],
    }
