"""The desk: takes a request's body, answers with predictions and intervals, notes down what it answered."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import numpy as np

from tabular.bundle import Bundle
from tabular.contract import Interval
from tabular.follow import Release, Standing
from tabular.log import Entry
from tabular.metrics import Metrics
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
        contract = release.bundle.contract
        rows = release.bundle.schema.check(parse(body))
        predictions = _predict(release.bundle, rows)
        ids = [uuid4() for _ in rows]
        content = json.dumps(
            {
                "predictions": [
                    {
                        "prediction": prediction,
                        "interval": _interval(contract.interval, prediction),
                        "prediction_id": str(prediction_id),
                    }
                    for prediction, prediction_id in zip(predictions, ids, strict=True)
                ],
                "unit": contract.output.unit,
                "level": contract.interval.level if contract.interval else None,
                "use_case": contract.use_case,
                "model_version": release.version,
                "request_id": request_id,
            },
            allow_nan=False,
        ).encode()
        self._note(release, request_id, rows, predictions, ids, time.perf_counter() - started)
        return content

    def _note(
        self,
        release: Release,
        request_id: str,
        rows: Sequence[Row],
        predictions: Sequence[float],
        ids: Sequence[UUID],
        seconds: float,
    ) -> None:
        names = [field.name for field in release.bundle.schema.fields]
        moment = datetime.now(UTC)
        self.note(Entry(request_id, release.version, names, rows, predictions, ids, seconds * 1000, moment))
        self.metrics.predicted(release.version, predictions[-1])


def _predict(bundle: Bundle, rows: Sequence[Row]) -> list[float]:
    values = bundle.predict(bundle.schema.tensors(rows))
    finite = np.isfinite(values)
    if not finite.all():
        odd = [int(index) for index in np.flatnonzero(~finite)][:MOST_FAULTS]
        faults = [Fault(f"instances[{index}]", "has no finite prediction") for index in odd]
        raise ProblemError(422, "no-prediction", f"{int((~finite).sum())} instances have no finite prediction", faults)
    predictions: list[float] = values.tolist()
    return predictions


def _interval(interval: Interval | None, prediction: float) -> tuple[float, float] | None:
    """Prediction ± half width, cut to the target's declared range."""
    if interval is None:
        return None
    low, high = prediction - interval.half_width, prediction + interval.half_width
    if interval.minimum is not None:
        low, high = max(low, interval.minimum), max(high, interval.minimum)
    if interval.maximum is not None:
        low, high = min(low, interval.maximum), min(high, interval.maximum)
    return low, high
