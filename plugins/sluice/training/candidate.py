"""The candidate: the best proposal fitted, measured and written as a release bundle."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle, Graph
from sluice.adapters.metrics import measure
from sluice.domain.columns import Column
from sluice.domain.contract import Contract, Golden, Input, Interval, Limits, Lineage, Output
from sluice.domain.errors import ConversionError
from sluice.domain.use_case import UseCase
from sluice.training import golden, graph, intervals
from sluice.training.families import regressor
from sluice.training.search import Attempt
from sluice.training.snapshots import Part, Rows

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

log = logging.getLogger(__name__)

#: What the numbers of a release depend on.
LIBRARIES = ("numpy", "scikit-learn", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Candidate:
    """A fitted model with its bundle.

    Attributes:
        use_case: What it is for.
        model: The scikit-learn model, from raw inputs to the target's unit.
        bundle: The release bundle, verified.
        rows: What it was made from.
        metrics: On the train and the test rows, as `train_rmse`, `test_r2` and so on; finite ones only.
        predicted: Shape (test rows,), what the graph says of the test rows.
    """

    use_case: UseCase
    model: Pipeline
    bundle: Bundle
    rows: Rows
    metrics: dict[str, float]
    predicted: np.ndarray[tuple[int], np.dtype[np.float64]]


def make(
    use_case: UseCase, rows: Rows, best: Attempt, lineage: Lineage, runtime_sha256: str, folder: Path
) -> Candidate:
    """Fit the best attempt on the train rows, measure its graph, and write its bundle.

    The same rows, attempt and seed give the same `model.onnx`, to the byte.

    Args:
        use_case: What the model is for.
        rows: The snapshot's.
        best: What the search found.
        lineage: Where the model comes from.
        runtime_sha256: Of the serving code that is meant to serve it; see `bundles.runtime_sha256`.
        folder: Where the bundle is written.

    Raises:
        ConversionError: The model cannot be written as a graph, or its graph answers otherwise than it does.
    """
    with threadpool_limits(limits=1):
        model = regressor(use_case, best.family, best.parameters)
        model.fit(rows.train.inputs, rows.train.target)
        written = Graph(graph.write([column.name for column in use_case.inputs], model))
        _verify(model, written, rows.test)
        known = golden.write(use_case, model, rows.test.inputs)
    train, calibration, test = (written.predict(p.inputs) for p in (rows.train, rows.calibration, rows.test))
    held_out = _finite(measure(rows.test.target, test))
    fitted = _finite(measure(rows.train.target, train))
    interval = intervals.measure(use_case, (rows.calibration.target, calibration), (rows.test.target, test))
    contract = promise(use_case, best, lineage, runtime_sha256, held_out, interval)
    bundle = bundles.write(folder, written.model, contract, known, reference(use_case, rows.train, train))
    metrics = {f"train_{k}": v for k, v in fitted.items()} | {f"test_{k}": v for k, v in held_out.items()}
    log.info("%s fitted on %d rows; held out: %s", best.family, len(rows.train), held_out)
    return Candidate(use_case, model, bundle, rows, metrics, test)


def promise(
    use_case: UseCase,
    best: Attempt,
    lineage: Lineage,
    runtime_sha256: str,
    metrics: dict[str, float],
    interval: Interval | None,
) -> Contract:
    """The contract of a release."""
    return Contract(
        use_case=use_case.name,
        title=use_case.title,
        description=use_case.description,
        task=use_case.task,
        family=best.family,
        inputs=tuple(_input(column) for column in use_case.inputs),
        output=Output(name=use_case.target, unit=use_case.target_column.unit),
        interval=interval,
        limits=Limits(
            max_instances=use_case.serving.max_instances,
            missing=use_case.serving.missing,
            unknown_fields=use_case.serving.unknown_fields,
            unseen_category=use_case.features.unseen_category,
        ),
        example=use_case.serving.example,
        metrics=metrics,
        lineage=lineage,
        libraries={name: version(name) for name in LIBRARIES},
        runtime_sha256=runtime_sha256,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def reference(use_case: UseCase, train: Part, predicted: np.ndarray[tuple[int], np.dtype[np.float64]]) -> pd.DataFrame:
    """A bounded, seeded sample of the train rows with what the model says of them, for drift checks."""
    whole = train.inputs.assign(**{use_case.target: train.target, "prediction": predicted})
    most = use_case.monitoring.sample_rows
    if len(whole) <= most:
        return whole
    return whole.sample(most, random_state=use_case.training.seed).sort_index().reset_index(drop=True)


def _input(column: Column) -> Input:
    if column.type == "timestamp":
        raise ConversionError(f"{column.name!r} is a timestamp, which no graph takes", "use_case.yaml", "role: ignore")
    minimum, maximum = column.range or (None, None)
    return Input(
        name=column.name,
        type=column.type,
        unit=column.unit,
        description=column.description,
        minimum=minimum,
        maximum=maximum,
        categories=column.categories,
        nullable=column.nullable,
    )


def _verify(model: Pipeline, written: Graph, part: Part) -> None:
    """Refuse a graph that does not answer as its model does."""
    tolerance = Golden(instances=(), predictions=())
    expected = np.asarray(model.predict(part.inputs), dtype=np.float64)
    parity = bundles.agreement(expected, written.predict(part.inputs), tolerance.relative, tolerance.absolute)
    if not parity.holds:
        raise ConversionError(
            f"the graph is off by {parity.excess:.3g} times what is allowed on {parity.rows} rows",
            type(model["model"]).__name__,
            "do not release it; report this model family",
        )


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """What JSON can hold; a metric that cannot be told is left out."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}
