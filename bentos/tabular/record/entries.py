"""What the log takes down: answers, and what a release could not answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from tabular import ids
from tabular.releases.outputs import Answers
from tabular.releases.schema import Row

#: Whose the answer is; a shadow's is given to nobody.
Role = Literal["champion", "challenger", "shadow"]

ANSWERS = """
COPY serving.answers (
    answer_id, request_id, size, latency_ms, predicted_at, features, predictions, labels, probabilities,
    use_case, model_version, role, upload, names
) FROM STDIN WITH (FORMAT csv)
"""
FAILURES = """
COPY serving.failures (failure_id, request_id, use_case, model_version, role, reason, failed_at)
FROM STDIN WITH (FORMAT csv)
"""

_encode = msgspec.json.Encoder().encode


class Written(NamedTuple):
    """Rows and their answers as the database reads them: JSON, and arrays of its own; what is empty becomes null."""

    features: str
    predictions: str
    labels: str
    probabilities: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Some rows and what they were answered.

    Attributes:
        answer_id: The first prediction's id.
        names: Of the columns.
        latency_ms: Of a request, from its arrival to its answer, without what others tried before; of a block, from
            when it was there to its answer.
    """

    answer_id: str
    request_id: str
    version: int
    role: Role
    names: Sequence[str]
    latency_ms: float
    predicted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Answered):
    """One answered request.

    Attributes:
        rows: The instances, with a value for each name.
        answers: One per row.
    """

    rows: Sequence[Row]
    answers: Answers

    @property
    def size(self) -> int:
        """How many predictions it holds."""
        return len(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet(Answered):
    """One answered block of an upload.

    Attributes:
        size: How many predictions it holds.
    """

    size: int
    written: Written


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that a release could not answer, though it keeps to its contract.

    Attributes:
        reason: A code and words.
        failure_id: Tells it from every other one, of the same request too.
    """

    request_id: str
    version: int
    role: Role
    reason: str
    failed_at: datetime
    failure_id: str = field(default_factory=ids.fresh)

    @property
    def size(self) -> int:
        """How much room it takes in the log."""
        return 1


Record = Entry | Sheet | Failure


class Line(NamedTuple):
    """A record as the database reads it, made by whoever was asked: the thread that writes would hold the others up.

    Attributes:
        size: How much room it takes in the log.
        day: The partition of an answer; None of a failure.
    """

    size: int
    day: date | None
    text: bytes


def line(record: Record, use_case: str) -> Line:
    """A record as `ANSWERS` or `FAILURES` copies it.

    Raises:
        ValueError: It cannot be written as text.
    """
    if isinstance(record, Failure):
        identity = (record.failure_id, record.request_id, use_case, str(record.version), record.role)
        values = (*identity, record.reason, record.failed_at.isoformat())
        return Line(record.size, None, (",".join(map(_quoted, values)) + "\n").encode())
    written = record.written if isinstance(record, Sheet) else _written(record)
    kind = _kind(use_case, record.version, record.role, isinstance(record, Sheet), tuple(record.names))
    moment = record.predicted_at
    # Not by the standard library's writer, which takes ten times as long for long texts.
    text = (
        f"{record.answer_id},{record.request_id},{record.size},{record.latency_ms!r},{moment.isoformat()},"
        f"{_quoted(written.features)},{_quoted(written.predictions)},{_quoted(written.labels)},"
        f"{_quoted(written.probabilities)},{kind}"
    )
    return Line(record.size, moment.date(), text.encode())


@lru_cache(maxsize=64)
def _kind(use_case: str, version: int, role: Role, is_upload: bool, names: Sequence[str]) -> str:
    """What all answers of a release have in common; the end of a line."""
    values = (use_case, str(version), role, "t" if is_upload else "f", array(names))
    return ",".join(map(_quoted, values)) + "\n"


def _written(entry: Entry) -> Written:
    answers = entry.answers
    features = _encode(entry.rows).decode()
    if answers.probabilities is None:
        return Written(features, f"{{{_encode(answers.predictions)[1:-1].decode()}}}", "", "")
    return Written(features, "", array(map(str, answers.predictions)), _encode(answers.probabilities).decode())


def _quoted(text: str) -> str:
    """A value of the copied text; what is empty is null."""
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if text else ""


def array(values: Iterable[str]) -> str:
    """An array of text, as Postgres writes one."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
