"""What the log takes down: answers, and what a release could not answer."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from tabular import ids
from tabular.releases.outputs import Answers
from tabular.releases.schema import Row

#: Whose the answer is; a shadow's is given to nobody.
Role = Literal["champion", "challenger", "shadow"]

ANSWERS = """
COPY serving.answers (
    answer_id, size, latency_ms, predicted_at, request_id, features, predictions, labels, probabilities,
    use_case, model_version, role, upload, names
) FROM STDIN WITH (FORMAT binary)
"""
FAILURES = """
COPY serving.failures (failure_id, failed_at, request_id, use_case, model_version, role, reason)
FROM STDIN WITH (FORMAT binary)
"""

# Postgres' own form: as text, an upload's rows took it half as long again.
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
#: What a line begins with: the number of its fields, and each that always has the same length after that length.
_ANSWER = struct.Struct(">hi16siiidiq")
_FAILURE = struct.Struct(">hi16siq")
#: Dimensions, whether any element is null, the elements' type, how many there are, and the first one's place.
_ARRAY = struct.Struct(">iiiii")
_TEXT, _DOUBLE = 25, 701
_ELEMENT = np.dtype([("length", ">i4"), ("value", ">f8")])
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_EPOCH, _TICK = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

_encode = msgspec.json.Encoder().encode


class Written(NamedTuple):
    """Rows and their answers as the database reads them: JSON, and arrays of its own; what is empty becomes null."""

    features: bytes
    predictions: bytes = b""
    labels: bytes = b""
    probabilities: bytes = b""


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
    data: bytes


def line(record: Record, use_case: str) -> Line:
    """A record as `ANSWERS` or `FAILURES` copies it.

    Raises:
        ValueError: It cannot be written as text.
    """
    if isinstance(record, Failure):
        begun = _FAILURE.pack(7, 16, _uuid(record.failure_id), 8, _ticks(record.failed_at))
        told = (record.request_id, use_case, _bigint(record.version), record.role, record.reason)
        return Line(record.size, None, begun + _fields(told))
    written = record.written if isinstance(record, Sheet) else _written(record)
    moment, latency = record.predicted_at, record.latency_ms
    begun = _ANSWER.pack(14, 16, _uuid(record.answer_id), 4, record.size, 8, latency, 8, _ticks(moment))
    kind = _kind(use_case, record.version, record.role, isinstance(record, Sheet), tuple(record.names))
    return Line(record.size, moment.date(), b"".join((begun, _fields((record.request_id, *written)), kind)))


def copied(lines: Iterable[Line]) -> bytes:
    """What is copied at once."""
    return b"".join((_SIGNATURE, *(line.data for line in lines), _END))


def numbers(values: npt.ArrayLike, size: int) -> bytes:
    """An array of so many numbers, as Postgres reads one."""
    elements = np.empty(size, _ELEMENT)
    elements["length"], elements["value"] = 8, values
    return _ARRAY.pack(1, 0, _DOUBLE, size, 1) + elements.tobytes()


def texts(elements: Iterable[bytes], size: int) -> bytes:
    """An array of so many texts, each as `element` makes it, as Postgres reads one."""
    return b"".join((_ARRAY.pack(1, 0, _TEXT, size, 1), *elements))


def element(value: str | bytes) -> bytes:
    """A value after its length."""
    data = value.encode() if isinstance(value, str) else value
    return _LENGTH.pack(len(data)) + data


@lru_cache(maxsize=64)
def _kind(use_case: str, version: int, role: Role, is_upload: bool, names: Sequence[str]) -> bytes:
    """What all answers of a release have in common; the end of a line."""
    held = texts(map(element, names), len(names))
    return _fields((use_case, _bigint(version), role, b"\1" if is_upload else b"\0", held))


def _written(entry: Entry) -> Written:
    answers = entry.answers
    features = _encode(entry.rows)
    if answers.probabilities is None:
        return Written(features, predictions=numbers(answers.predictions, entry.size))
    labels = texts((element(str(value)) for value in answers.predictions), entry.size)
    return Written(features, labels=labels, probabilities=_encode(answers.probabilities))


def _fields(values: Iterable[str | bytes]) -> bytes:
    return b"".join([element(value) if value else _NULL for value in values])


def _uuid(text: str) -> bytes:
    return bytes.fromhex(text.replace("-", ""))


def _bigint(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def _ticks(moment: datetime) -> int:
    return (moment - _EPOCH) // _TICK
