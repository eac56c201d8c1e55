"""The desk: takes a request's body, answers with predictions, notes down what it answered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np

from tabular.bundle import Bundle
from tabular.follow import Release, Standing
from tabular.log import Entry
from tabular.metrics import Metrics
from tabular.outputs import Answer
from tabular.problem import Fault, ProblemError
from tabular.schema import MOST_FAULTS, Row, parse


@dataclass(frozen=True)
class Desk:
    """Answers requests with whatever release serves at the moment.

    Attributes:
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        standing: Gives what serves now.
        note: Takes every answered request, at once; it never fails and never waits.
    """

    use_case: str
    runtime_sha256: str
    standing: Callable[[], Standing]
    note: Callable[[Entry], None]
    metrics: Metrics

    def release(self) -> Release:
        """What serves now.

        Raises:
            ProblemError: Nothing does.
        """
        standing = self.standing()
        if standing.release is None:
            # The reasons say what each source of releases answered.
            detail = f"no release is loaded yet; promote a model, or look at why: {standing.reason}"
            raise ProblemError(503, "not-ready", detail, headers={"retry-after": "2"})
        return standing.release

    def answer(self, release: Release, body: bytes, request_id: str, started: float) -> bytes:
        """Predict for every instance of a request.

        Args:
            release: What answers.
            body: The request's JSON text.
            request_id: Comes back in the answer and stands in the log.
            started: When the request arrived, on the clock of `time.perf_counter`.

        Returns:
            The answer's JSON text.

        Raises:
            ProblemError: The request breaks the contract.
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
        self._note(release, request_id, rows, answers, ids, time.perf_counter() - started)
        return content

    def _note(
        self,
        release: Release,
        request_id: str,
        rows: Sequence[Row],
        answers: Sequence[Answer],
        ids: Sequence[UUID],
        seconds: float,
    ) -> None:
        names = [field.name for field in release.bundle.schema.fields]
        moment = datetime.now(UTC)
        self.note(Entry(request_id, release.version, names, rows, answers, ids, seconds * 1000, moment))
        self.metrics.predicted(release.version, release.bundle.outputs.figure(answers[-1]))


def _predict(bundle: Bundle, rows: Sequence[Row]) -> list[Answer]:
    values = bundle.predict(bundle.schema.tensors(rows))
    usable = bundle.outputs.usable(values)
    if not usable.all():
        odd = [int(index) for index in np.flatnonzero(~usable)]
        faults = [Fault(f"instances[{index}]", "has no prediction") for index in odd[:MOST_FAULTS]]
        raise ProblemError(422, "no-prediction", f"{len(odd)} instances have no prediction", faults)
    return bundle.outputs.answers(values)
