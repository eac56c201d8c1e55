"""The desk: takes a request's body, answers with predictions, notes down what it answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from tabular import ids
from tabular.answers.forms import Form, Scored
from tabular.problem import MOST_FAULTS, Fault, ProblemError
from tabular.record.entries import Entry, Failure, Record, Role
from tabular.record.redaction import Redactor
from tabular.releases.standing import Release, Standing
from tabular.watching.metrics import Metrics

#: Longer reasons of a failure are cut.
LONGEST_REASON = 200


class Call(NamedTuple):
    """A request whose body has arrived.

    Attributes:
        form: The shape in which it asks.
        key: Decides its side while two releases answer.
        started: When it arrived, on the clock of `time.perf_counter`.
        begun: When its body was there.
    """

    body: bytes
    form: Form
    request_id: str
    key: str
    started: float
    begun: float


@dataclass(frozen=True)
class Desk:
    """Answers requests with the release that it is given.

    Attributes:
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        standing: Gives what serves now.
        note: Takes every answered request and every failure, at once; it never fails and never waits.
        redactor: Knows what may be noted of a request.
    """

    use_case: str
    runtime_sha256: str
    standing: Callable[[], Standing]
    note: Callable[[Record], None]
    metrics: Metrics
    redactor: Redactor = field(default_factory=Redactor)

    def answer(self, release: Release, call: Call, started: float, role: Role = "champion") -> bytes:
        """Predict for every instance of a request, and note it down.

        Args:
            release: What answers.
            call: The request.
            started: From when its time counts, on the clock of `time.perf_counter`.
            role: The release's.

        Returns:
            The answer's JSON text.

        Raises:
            ProblemError: The request breaks the contract, or has no prediction.
        """
        scored = score(release, call)
        content = call.form.content(release, scored, call.request_id, call.started)
        self.keep(release, role, call.request_id, scored, time.perf_counter() - started)
        self.metrics.predicted(release.version, release.bundle.outputs.figure(scored.answers))
        return content

    def keep(self, release: Release, role: Role, request_id: str, scored: Scored, seconds: float) -> None:
        """Note down what a release answered, and in how many seconds."""
        redaction = self.redactor.of(release.bundle)
        self.note(
            Entry(
                answer_id=scored.answer_id,
                request_id=request_id,
                version=release.version,
                role=role,
                names=redaction.names,
                rows=redaction.rows(scored.rows),
                answers=scored.answers,
                latency_ms=seconds * 1000,
                predicted_at=datetime.now(UTC),
            )
        )

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


def score(release: Release, call: Call) -> Scored:
    """What a release makes of a request.

    Raises:
        ProblemError: The request breaks the contract, or has no prediction.
    """
    bundle = release.bundle
    rows = call.form.rows(bundle.schema, call.body)
    values = bundle.predict(bundle.schema.tensors(rows))
    usable = bundle.outputs.usable(values)
    if not all(usable.tolist()):
        raise _unanswerable(call.form, np.flatnonzero(~usable).tolist())
    return Scored(ids.fresh(), rows, bundle.outputs.answers(values))


def _unanswerable(form: Form, odd: Sequence[int]) -> ProblemError:
    faults = [Fault(form.place(index), "has no prediction") for index in odd[:MOST_FAULTS]]
    return ProblemError(422, "no-prediction", f"{len(odd)} instances have no prediction", faults)


def _reason(error: Exception) -> str:
    """A failure as a code and words that any database can hold."""
    # The words of most errors may quote what was sent.
    told = f"failed: {type(error).__name__}"
    if isinstance(error, ProblemError):
        told = f"{error.kind}: {error.detail}"
    written = told.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(each if each.isprintable() else " " for each in written[:LONGEST_REASON])
