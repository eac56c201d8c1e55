"""What the log takes down: answers, and what a release could not answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from tabular import ids
from tabular.releases.outputs import Answers
from tabular.releases.schema import Row

#: Whose the answer is; a shadow's is given to nobody.
Role = Literal["champion", "challenger", "shadow"]

ANSWERS = """
COPY serving.answers (
    answer_id, request_id, use_case, model_version, role, upload, size, names, features, predictions, labels,
    probabilities, latency_ms, predicted_at
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


def answers(records: Iterable[Record], use_case: str) -> io.StringIO:
    """The answered requests among some records, as `ANSWERS` copies them."""
    text = io.StringIO()
    for entry in records:
        if isinstance(entry, Failure):
            continue
        upload, written = ("t", entry.written) if isinstance(entry, Sheet) else ("f", _written(entry))
        identity = (entry.answer_id, entry.request_id, use_case, str(entry.version), entry.role, upload)
        rows = (str(entry.size), array(entry.names), *written)
        values = (*identity, *rows, repr(entry.latency_ms), entry.predicted_at.isoformat())
        # Not by the standard library's writer, which takes ten times as long for long texts.
        text.write(",".join(map(_quoted, values)) + "\n")
    text.seek(0)
    return text


def failures(records: Iterable[Record], use_case: str) -> io.StringIO:
    """The failures among some records, as `FAILURES` copies them."""
    text = io.StringIO()
    writer = csv.writer(text)
    for given in records:
        if isinstance(given, Failure):
            identity = (given.failure_id, given.request_id, use_case, given.version, given.role)
            writer.writerow((*identity, given.reason, given.failed_at.isoformat()))
    text.seek(0)
    return text


def _written(entry: Entry) -> Written:
    answers = entry.answers
    features = _encode(entry.rows).decode()
    if answers.probabilities is None:
        return Written(features, f"{{{','.join(map(repr, answers.predictions))}}}", "", "")
    return Written(features, "", array(map(str, answers.predictions)), _encode(answers.probabilities).decode())


def _quoted(text: str) -> str:
    """A value of the copied text; what is empty is null."""
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if text else ""


def array(values: Iterable[str]) -> str:
    """An array of text, as Postgres writes one."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"
