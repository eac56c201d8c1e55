"""What the log takes down: answers, and what a release could not answer."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from tabular.outputs import Answer
from tabular.schema import Row

#: Whose the answer is; a shadow's is given to nobody.
Role = Literal["champion", "challenger", "shadow"]

ANSWERS = """
COPY serving.predictions (
    prediction_id, request_id, use_case, model_version, features, prediction, label, probabilities,
    latency_ms, predicted_at, role
) FROM STDIN WITH (FORMAT csv)
"""
FAILURES = """
COPY serving.failures (request_id, use_case, model_version, role, reason, failed_at) FROM STDIN WITH (FORMAT csv)
"""


@dataclass(frozen=True)
class Entry:
    """One answered request.

    Attributes:
        rows: The instances, in the order of `names`.
        answers: One per row.
        latency_ms: From the request's arrival to its answer, without what others tried before.
    """

    request_id: str
    version: int
    names: Sequence[str]
    rows: Sequence[Row]
    answers: Sequence[Answer]
    prediction_ids: Sequence[UUID]
    latency_ms: float
    predicted_at: datetime
    role: Role = "champion"

    @property
    def size(self) -> int:
        """How many rows the log gets from it."""
        return len(self.rows)

    def cut(self, start: int, end: int) -> Self:
        """Some of its rows."""
        return replace(
            self,
            rows=self.rows[start:end],
            answers=self.answers[start:end],
            prediction_ids=self.prediction_ids[start:end],
        )


@dataclass(frozen=True)
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
        """How many rows the log gets from it."""
        return 1

    def cut(self, start: int, end: int) -> Self:
        """It has no parts."""
        return self


Record = Entry | Failure


def answers(records: Iterable[Record], use_case: str) -> io.StringIO:
    """The answered rows among some records, as `ANSWERS` copies them."""
    text = io.StringIO()
    writer = csv.writer(text)
    for entry in records:
        if isinstance(entry, Failure):
            continue
        latency, moment = repr(entry.latency_ms), entry.predicted_at.isoformat()
        for row, answer, prediction_id in zip(entry.rows, entry.answers, entry.prediction_ids, strict=True):
            features = json.dumps(dict(zip(entry.names, row, strict=True)), ensure_ascii=False, allow_nan=False)
            identity = (prediction_id, entry.request_id, use_case, entry.version)
            writer.writerow((*identity, features, *_columns(answer), latency, moment, entry.role))
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


def _columns(answer: Answer) -> tuple[str, str, str]:
    """Prediction, label and probabilities; what is empty becomes null."""
    if answer.probabilities is None:
        return repr(answer.prediction), "", ""
    return "", str(answer.prediction), json.dumps(answer.probabilities, ensure_ascii=False, allow_nan=False)
