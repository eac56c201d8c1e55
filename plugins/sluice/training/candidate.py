"""The candidate: the best proposal fitted, measured and written as a release bundle."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from sluice.adapters import bundles, histograms
from sluice.adapters.bundles import Bundle, frame
from sluice.adapters.graphs import Graph, Scores, Vector
from sluice.adapters.metrics import measure
from sluice.domain.columns import Column
from sluice.domain.contract import (
    Contract,
    Golden,
    Input,
    Interval,
    Label,
    Limits,
    Lineage,
    Output,
    PredictionSet,
)
from sluice.domain.errors import ConversionError
from sluice.domain.use_case import UseCase
from sluice.training import families, folds, golden, graph, intervals, provenance
from sluice.training.choices import Choices
from sluice.training.search import Attempt
from sluice.training.snapshots import Part, Rows

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

log = logging.getLogger(__name__)


#: Under this many train rows the metrics are measured out of folds too, so many times over.
FEW_ROWS = 1_000
REPEATS = 3


@dataclass(frozen=True)
class Candidate:
    """A fitted model with its bundle.

    Attributes:
        use_case: What it is for.
        model: The scikit-learn model, from raw inputs to the target's unit or to probabilities.
        bundle: The release bundle, verified.
        rows: What it was made from.
        metrics: On the train and the test rows, as `train_rmse`, `test_r2` and so on, and where rows are few out
            of folds, as `oof_r2`; finite ones only.
        predicted: What the graph says of the test rows: shape (rows,), or for classes (rows, classes).
    """

    use_case: UseCase
    model: Pipeline
    bundle: Bundle
    rows: Rows
    metrics: dict[str, float]
    predicted: Scores


def make(
    use_case: UseCase,
    rows: Rows,
    choices: Choices,
    best: Attempt,
    lineage: Lineage,
    runtime_sha256: str,
    folder: Path,
) -> Candidate:
    """Fit the best attempt on the train rows, measure its graph, and write its bundle.

    The same rows, choices, attempt and seed give the same `model.onnx`, to the byte.

    Args:
        use_case: What the model is for.
        rows: The snapshot's.
        choices: What the train rows decided about the features.
        best: What the search found.
        lineage: Where the model comes from.
        runtime_sha256: Of the serving code that is meant to serve it; see `bundles.runtime_sha256`.
        folder: Where the bundle is written.

    Raises:
        ConversionError: The model cannot be written as a graph, or its graph answers otherwise than it does.
    """
    with threadpool_limits(limits=1):
        model = _fitted(use_case, choices, best, rows.train)
        written = Graph(graph.write([column.name for column in use_case.inputs], model))
        known = golden.write(use_case, model, rows.test.inputs)
        _verify(use_case, model, written, rows.test.inputs)
        _verify(use_case, model, written, frame(known.instances, rows.test.inputs.columns))
        out_of_fold = _out_of_fold(use_case, choices, best, rows.train)
    train, calibration, test = (written.predict(p.inputs) for p in (rows.train, rows.calibration, rows.test))
    held_out = _finite(measure(use_case.task, rows.test.target, test))
    fitted = _finite(measure(use_case.task, rows.train.target, train))
    apart = (rows.calibration.target, calibration), (rows.test.target, test)
    contract = promise(
        use_case,
        best,
        lineage,
        runtime_sha256,
        metrics=held_out,
        out_of_fold=out_of_fold,
        interval=intervals.interval(use_case, *apart) if use_case.task == "regression" else None,
        prediction_set=intervals.prediction_set(*apart) if use_case.task != "regression" else None,
    )
    learned = answered(use_case, rows.train, train)
    kept = bounded(use_case, learned), unseen(use_case, *apart), histograms.freeze(contract, learned)
    bundle = bundles.write(folder, written.model, contract, known, *kept)
    metrics = {f"train_{k}": v for k, v in fitted.items()} | {f"test_{k}": v for k, v in held_out.items()}
    metrics |= {f"oof_{k}": v for k, v in out_of_fold.items()}
    log.info("%s fitted on %d rows; held out: %s", best.family, len(rows.train), held_out)
    return Candidate(use_case, model, bundle, rows, metrics, test)


def promise(
    use_case: UseCase,
    best: Attempt,
    lineage: Lineage,
    runtime_sha256: str,
    *,
    metrics: dict[str, float],
    out_of_fold: dict[str, float],
    interval: Interval | None,
    prediction_set: PredictionSet | None,
) -> Contract:
    """The contract of a release."""
    return Contract(
        use_case=use_case.name,
        title=use_case.title,
        description=use_case.description,
        task=use_case.task,
        family=best.family,
        inputs=tuple(_input(column) for column in use_case.inputs),
        output=Output(
            name=use_case.target,
            unit=use_case.target_column.unit,
            labels=tuple(Label(value=c, title=use_case.labels.get(c, c)) for c in use_case.classes),
            positive=use_case.positive_label,
        ),
        interval=interval,
        prediction_set=prediction_set,
        limits=Limits(
            max_instances=use_case.serving.max_instances,
            missing=use_case.serving.missing,
            unknown_fields=use_case.serving.unknown_fields,
            unseen_category=use_case.features.unseen_category,
        ),
        example=use_case.serving.example,
        metrics=metrics,
        out_of_fold=out_of_fold,
        lineage=lineage,
        libraries={name: version(name) for name in provenance.LIBRARIES},
        runtime_sha256=runtime_sha256,
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def answered(use_case: UseCase, train: Part, predicted: Scores) -> pd.DataFrame:
    """The train rows with what the model says of them.

    Classes are written by their names, and `prediction` is the most probable one.
    """
    answers: dict[str, Any] = {use_case.target: train.target, "prediction": predicted}
    if use_case.classes:
        names = np.array(use_case.classes, dtype=object)
        answers = {
            use_case.target: names[train.target.astype(int)],
            "prediction": names[predicted.argmax(axis=1)],
        }
    return train.inputs.assign(**answers)


def bounded(use_case: UseCase, whole: pd.DataFrame) -> pd.DataFrame:
    """A seeded sample of rows, in their order, for the pages of drift checks."""
    most = use_case.monitoring.sample_rows
    if len(whole) <= most:
        return whole
    return whole.sample(most, random_state=use_case.training.seed).sort_index().reset_index(drop=True)


def unseen(use_case: UseCase, *parts: tuple[Vector, Scores]) -> pd.DataFrame:
    """A bounded, seeded sample of the rows that no training saw, as `Bundle.unseen` returns it.

    Args:
        use_case: Its `monitoring.sample_rows` is the most that is kept.
        *parts: Observed and predicted, of the calibration rows and of the test rows.
    """
    # Local: a DAG file's imports must stay light.
    import pandas as pd

    actual = np.concatenate([observed for observed, _ in parts])
    said = np.concatenate([predicted for _, predicted in parts])
    columns = {f"said_{c}": said[:, c] for c in range(said.shape[1])} if use_case.classes else {"said": said}
    whole = pd.DataFrame({"actual": actual, **columns})
    most = use_case.monitoring.sample_rows
    return whole if len(whole) <= most else whole.sample(most, random_state=use_case.training.seed, ignore_index=True)


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
        sensitive=column.sensitive,
    )


def _fitted(use_case: UseCase, choices: Choices, best: Attempt, part: Part) -> Pipeline:
    """The attempt's model, fitted on some rows and calibrated on folds of the same as the spec says."""
    parts = _parts(use_case, part) if use_case.classes else None
    model = families.assemble(use_case, best.family, best.parameters, choices, parts)
    return model.fit(part.inputs, part.target)


def _parts(use_case: UseCase, part: Part) -> tuple[folds.Fold, ...] | None:
    """As many folds as the spec says, fewer where a class is rarer than that, none where it cannot be divided."""
    rarest = min(int(np.sum(part.target == c)) for c in range(len(use_case.classes)))
    count = min(use_case.training.folds, rarest, len(np.unique(part.identity)))
    return folds.divide(use_case, part, count, use_case.training.seed) if count > 1 else None


def _out_of_fold(use_case: UseCase, choices: Choices, best: Attempt, train: Part) -> dict[str, float]:
    """The mean over repeated cross-validations of every metric, where the rows are few; nothing where many."""
    if len(train) >= FEW_ROWS:
        return {}
    training = use_case.training
    measured: list[dict[str, float]] = []
    for repeat in range(REPEATS):
        answers = np.empty((len(train), max(1, len(use_case.classes))))
        for fold in folds.divide(use_case, train, training.folds, training.seed + 1 + repeat):
            model = _fitted(use_case, choices, best, _rows(train, fold.fit))
            said = families.scores(use_case, model, train.inputs.iloc[fold.score])
            answers[fold.score] = said.reshape(len(fold.score), -1)
        whole = answers if use_case.classes else answers[:, 0]
        measured.append(measure(use_case.task, train.target, whole))
    return _finite({name: float(np.mean([m[name] for m in measured])) for name in measured[0]})


def _rows(part: Part, positions: folds.Indices) -> Part:
    return Part(part.inputs.iloc[positions], part.target[positions], part.identity[positions])


def _verify(use_case: UseCase, model: Pipeline, written: Graph, inputs: pd.DataFrame) -> None:
    """Refuse a graph that does not answer as its model does."""
    tolerance = Golden(instances=(), predictions=())
    expected = families.scores(use_case, model, inputs)
    parity = bundles.agreement(expected, written.predict(inputs), tolerance.relative, tolerance.absolute)
    if not parity.holds:
        raise ConversionError(
            f"the graph is off by {parity.excess:.3g} times what is allowed on {parity.rows} rows",
            type(model["model"]).__name__,
            "do not release it; report this model family",
        )


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """What JSON can hold; a metric that cannot be told is left out."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}
