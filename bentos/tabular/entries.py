"""What the log takes down: answers, and what a release could not answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from tabular.outputs import Answers
from tabular.schema import Row

#: Whose the answer is; a shadow's is given to nobody.
Role = Literal["champion", "challenger", "shadow"]

ANSWERS = """
COPY serving.answers (
    answer_id, request_id, use_case, model_version, role, size, names, features, predictions, labels, probabilities,
    latency_ms, predicted_at
) FROM STDIN WITH (FORMAT csv)
"""
FAILURES = """
COPY serving.failures (request_id, use_case, model_version, role, reason, failed_at) FROM STDIN WITH (FORMAT csv)
"""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered request, or one block of an upload.

    Attributes:
        answer_id: The first prediction's id.
        names: Of the columns.
        rows: The instances, with a value for each name.
        answers: One per row.
        latency_ms: From the request's arrival to its answer, without what others tried before.
    """

    answer_id: str
    request_id: str
    version: int
    role: Role
    names: Sequence[str]
    rows: Sequence[Row]
    answers: Answers
    latency_ms: float
    predicted_at: datetime

    @property
    def size(self) -> int:
        """How many predictions it holds."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that a release could not answer, though it keeps to its contract.

    Attributes:
        reason: A code and words.
    """

    request_id: str
    version: int
    role: Role
    reason: str
    failed_at: datetime

    @property
    def size(self) -> int:
        """How much room it takes in the log."""
        return 1


Record = Entry | Failure


def answers(records: Iterable[Record], use_case: str) -> io.StringIO:
    """The answered requests among some records, as `ANSWERS` copies them."""
    text = io.StringIO()
    writer = csv.writer(text)
    for entry in records:
        if isinstance(entry, Failure):
            continue
        identity = (entry.answer_id, entry.request_id, use_case, entry.version, entry.role, entry.size)
        features = (_texts(entry.names), _encode(entry.rows).decode())
        moment = (repr(entry.latency_ms), entry.predicted_at.isoformat())
        writer.writerow((*identity, *features, *_columns(entry.answers), *moment))
    text.seek(0)
    return text


def failures(records: Iterable[Record], use_case: str) -> io.StringIO:
    """The failures among some records, as `FAILURES` copies them."""
    text = io.StringIO()
    writer = csv.writer(text)
    for given in records:
        if isinstance(given, Failure):
            identity = (given.request_id, use_case, given.version, given.role)
            writer.writerow((*identity, given.reason, given.failed_at.isoformat()))
    text.seek(0)
    return text


def _columns(given: Answers) -> tuple[str, str, str]:
    """Predictions, labels and probabilities; what is empty becomes null."""
    if given.probabilities is None:
        return f"{{{','.join(map(repr, given.predictions))}}}", "", ""
    return "", _texts(map(str, given.predictions)), _encode(given.probabilities).decode()


def _texts(values: Iterable[str]) -> str:
    """An array of text, as Postgres writes one."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
