"""The desk: takes a request's body, answers with predictions, notes down what it answered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import numpy as np

from tabular.bundle import Bundle
from tabular.entries import Entry, Failure, Record, Role
from tabular.metrics import Metrics
from tabular.outputs import Answer
from tabular.problem import Fault, ProblemError
from tabular.schema import MOST_FAULTS, Row, parse
from tabular.standing import Release, Standing

#: Longer reasons of a failure are cut.
LONGEST_REASON = 200


class Scored(NamedTuple):
    """What a release makes of a request.

    Attributes:
        content: The answer's JSON text.
    """

    content: bytes
    rows: Sequence[Row]
    answers: Sequence[Answer]
    ids: Sequence[UUID]


@dataclass(frozen=True)
class Desk:
    """Answers requests with the release that it is given.

    Attributes:
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        standing: Gives what serves now.
        note: Takes every answered request and every failure, at once; it never fails and never waits.
    """

    use_case: str
    runtime_sha256: str
    standing: Callable[[], Standing]
    note: Callable[[Record], None]
    metrics: Metrics

    def answer(self, release: Release, body: bytes, request_id: str, started: float, role: Role = "champion") -> bytes:
        """Predict for every instance of a request, and note it down.

        Args:
            release: What answers.
            body: The request's JSON text.
            request_id: Comes back in the answer and stands in the log.
            started: When the request arrived, on the clock of `time.perf_counter`.
            role: The release's.

        Returns:
            The answer's JSON text.

        Raises:
            ProblemError: The request breaks the contract, or has no prediction.
        """
        scored = score(release, body, request_id)
        self.keep(release, role, request_id, scored, time.perf_counter() - started)
        self.metrics.predicted(release.version, release.bundle.outputs.figure(scored.answers[-1]))
        return scored.content

    def keep(self, release: Release, role: Role, request_id: str, scored: Scored, seconds: float) -> None:
        """Note down what a release answered, and in how many seconds."""
        names = [field.name for field in release.bundle.schema.fields]
        _, rows, answers, ids = scored
        moment = datetime.now(UTC)
        self.note(Entry(request_id, release.version, names, rows, answers, ids, seconds * 1000, moment, role))

    def fail(self, release: Release, role: Role, request_id: str, error: Exception) -> None:
        """Note down that a release could not answer."""
        self.note(Failure(request_id, release.version, role, _reason(error), datetime.now(UTC)))


def serving(standing: Standing) -> Release:
    """The champion's release.

    Raises:
        ProblemError: Nothing serves.
    """
    if standing.release is None:
        # The reasons say what each source of releases answered.
        detail = f"no release is loaded yet; promote a model, or look at why: {standing.reason}"
        raise ProblemError(503, "not-ready", detail, headers={"retry-after": "2"})
    return standing.release


def score(release: Release, body: bytes, request_id: str) -> Scored:
    """What a release makes of a request.

    Args:
        release: What answers.
        body: The request's JSON text.
        request_id: Comes back in the answer.

    Raises:
        ProblemError: The request breaks the contract, or has no prediction.
    """
    bundle = release.bundle
    rows = bundle.schema.check(parse(body))
    answers = _predict(bundle, rows)
    ids = [uuid4() for _ in rows]
    content = json.dumps(
        {
            "predictions": [
                {**bundle.outputs.document(answer), "prediction_id": str(prediction_id)}
                for answer, prediction_id in zip(answers, ids, strict=True)
            ],
            **bundle.outputs.envelope,
            "use_case": bundle.contract.use_case,
            "model_version": release.version,
            "request_id": request_id,
        },
        allow_nan=False,
    ).encode()
    return Scored(content, rows, answers, ids)


def _predict(bundle: Bundle, rows: Sequence[Row]) -> list[Answer]:
    values = bundle.predict(bundle.schema.tensors(rows))
    usable = bundle.outputs.usable(values)
    if not usable.all():
        odd = [int(index) for index in np.flatnonzero(~usable)]
        faults = [Fault(f"instances[{index}]", "has no prediction") for index in odd[:MOST_FAULTS]]
        raise ProblemError(422, "no-prediction", f"{len(odd)} instances have no prediction", faults)
    return bundle.outputs.answers(values)


def _reason(error: Exception) -> str:
    """A failure as a code and words that any database can hold."""
    if isinstance(error, ProblemError):
        told = f"{error.kind}: {error.detail}"
    else:
        told = f"failed: {type(error).__name__}: {error}"
    written = told.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(each if each.isprintable() else " " for each in written[:LONGEST_REASON])
