"""Pictures: where the marks of a performance check's pictures go. How they look is the page's business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from sluice.adapters.metrics import Scores, Vector, chosen
from sluice.domain.figures import Scale, Tick, plain, short
from sluice.domain.measures import HIGHER_IS_BETTER
from sluice.domain.use_case import UseCase
from sluice.monitoring.estimation import Unseen
from sluice.monitoring.judgement import LABELLED, Figure, limit_of, one

if TYPE_CHECKING:
    from sluice.monitoring.performance import Performance

#: Of more classes than this nobody can read the table of what was taken for what.
_MOST_CLASSES = 10
_BINS = 24
#: Of the errors, that the picture leaves to its outermost bins on either side.
_BEYOND = 0.01

Ends = tuple[float, float, float]


@dataclass(frozen=True)
class Past:
    """An earlier check.

    Attributes:
        version: The release that it looked after.
        end: The moment after the last prediction that it looked at.
        estimated: The metric that decides as it was estimated then: value, low and high.
        realised: The same as the labels have it by now; None while they are too few.
        labels: How many there are by now.
    """

    version: int
    end: datetime
    estimated: Ends
    realised: Ends | None
    labels: int


@dataclass(frozen=True)
class Seen:
    """What a page shows beside the figures.

    Attributes:
        actual: Shape (rows,), what was true of the labelled predictions.
        said: Shape (rows,) or (rows, classes), what was said of them.
        unseen: The same of rows that no training saw; None of an older release.
        classes: In the order of the probabilities; none for numbers.
        past: Earlier checks, the latest last.
    """

    actual: Vector
    said: Scores
    unseen: Unseen | None
    classes: tuple[str, ...]
    past: tuple[Past, ...]


@dataclass(frozen=True)
class Mark:
    """A check of the picture over time: where it is, and where what it found is, 0 to 100; text to read."""

    x: float
    estimated: tuple[float, ...]
    realised: tuple[float, ...]
    text: str


@dataclass(frozen=True)
class Course:
    """The metric that decides, over the checks."""

    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    first: str
    last: str
    promised: float | None
    limit: float | None


@dataclass(frozen=True)
class Cell:
    """How often one class was taken for another: of the labelled predictions, and of unseen rows; shares of 1."""

    share: float
    rows: int
    before: float | None
    right: bool


@dataclass(frozen=True)
class Confusion:
    """What was true, row by row, and what it was taken for; each row's cells add up to 1."""

    titles: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Errors:
    """How errors are spread: bars of the labelled predictions, an outline of unseen rows; heights 0 to 100."""

    ticks: tuple[Tick, ...]
    zero: float
    bars: tuple[float, ...]
    outline: tuple[float, ...]


@dataclass(frozen=True)
class Bar:
    """A slice: its number with its interval, and the limit that the gate holds it to."""

    name: str
    text: str
    at: float
    low: float | None
    high: float | None
    limits: tuple[float, ...]


def course(use_case: UseCase, found: Performance, past: tuple[Past, ...]) -> Course | None:
    """The metric that decides, at this check and those before it; None where nothing was told of it.

    Args:
        use_case: Its `monitoring.performance`.
        found: By this check.
        past: By those before.
    """
    metric = use_case.performance_metric
    now = _ends(one(found.figures, "estimated", metric)), _ends(one(found.figures, "realised", metric))
    points: list[tuple[int, datetime, int, Ends | None, Ends | None]]
    points = [(p.version, p.end, p.labels, p.estimated, p.realised) for p in past]
    points.append((found.version, found.end, found.labelled_rows, *now))
    points = [point for point in points if point[3] or point[4]]
    if not points:
        return None
    promise = one(found.figures, "promised", metric)
    promised = promise.value if promise else None
    limit = None if promised is None else limit_of(metric, promised, use_case.monitoring.performance.max_drop)
    told = [number for *_, estimated, realised in points for number in (*(estimated or ()), *(realised or ()))]
    scale = Scale.around([*told, *(line for line in (promised, limit) if line is not None)])
    start, end = points[0][1], points[-1][1]
    width = (end - start).total_seconds()
    marks = []
    for version, moment, labels, estimated, realised in points:
        # One point alone stands in the middle; several keep off the frame.
        x = 50.0 if not width else 5 + 90 * (moment - start).total_seconds() / width
        parts = [f"until {moment:%Y-%m-%d}, version {version}"]
        parts += [f"estimated {_read(estimated)}"] if estimated else []
        parts += [f"realised {_read(realised)} on {plain(labels)} labels"] if realised else []
        marks.append(Mark(round(x, 2), _placed(scale, estimated), _placed(scale, realised), "; ".join(parts)))
    return Course(
        scale.ticks(),
        tuple(marks),
        f"{start:%Y-%m-%d}" if width else "",
        f"{end:%Y-%m-%d}",
        None if promised is None else scale.at(promised),
        None if limit is None else scale.at(limit),
    )


def _ends(figure: Figure | None) -> Ends | None:
    if figure is None or figure.value is None or figure.low is None or figure.high is None:
        return None
    return figure.value, figure.low, figure.high


def _read(ends: Ends) -> str:
    return f"{plain(ends[0])} ({plain(ends[1])} to {plain(ends[2])})"


def _placed(scale: Scale, ends: Ends | None) -> tuple[float, ...]:
    return tuple(scale.at(end) for end in ends) if ends else ()


def confusion(use_case: UseCase, seen: Seen) -> Confusion | None:
    """What classes were taken for; None without labels, or of more classes than people can read."""
    count = len(seen.classes)
    if not len(seen.actual) or count > _MOST_CLASSES:
        return None
    now = _counted(seen.actual, seen.said)
    before = _counted(seen.unseen.actual, seen.unseen.said) if seen.unseen else np.zeros_like(now)
    rows = tuple(
        tuple(
            Cell(
                share=float(now[true, taken] / max(now[true].sum(), 1)),
                rows=int(now[true, taken]),
                before=float(before[true, taken] / before[true].sum()) if before[true].sum() else None,
                right=true == taken,
            )
            for taken in range(count)
        )
        for true in range(count)
    )
    return Confusion(tuple(use_case.labels.get(name, name) for name in seen.classes), rows)


def _counted(actual: Vector, said: Scores) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    counts = np.zeros((said.shape[1], said.shape[1]))
    np.add.at(counts, (actual.astype(int), chosen(said).astype(int)), 1)
    return counts


def errors(seen: Seen) -> Errors | None:
    """How far off numbers were; None without labels."""
    if not len(seen.actual):
        return None
    now = seen.said - seen.actual
    before = seen.unseen.said - seen.unseen.actual if seen.unseen else now[:0]
    low, high = np.quantile(np.concatenate([now, before]), (_BEYOND, 1 - _BEYOND))
    # Nothing is off centre on an axis that holds zero.
    scale = Scale.around([min(float(low), 0.0), max(float(high), 0.0)])
    shares = [_shares(each, scale) for each in (now, before)]
    tallest = max(float(each.max()) for each in shares) or 1.0
    bars, outline = (tuple(round(float(share), 2) for share in 100 * each / tallest) for each in shares)
    return Errors(scale.ticks(), scale.at(0.0), bars, outline if len(before) else ())


def _shares(errors: Vector, scale: Scale) -> Vector:
    counts, _ = np.histogram(np.clip(errors, scale.low, scale.high), bins=_BINS, range=(scale.low, scale.high))
    shares: Vector = counts / max(len(errors), 1)
    return shares


def slices(use_case: UseCase, figures: Sequence[Figure]) -> tuple[tuple[str, str], tuple[Bar, ...]] | None:
    """The slices by the metric that decides on one scale, and its two ends."""
    metric = use_case.performance_metric
    found = [f for f in figures if f.slice not in ("", LABELLED) and f.metric == metric and f.value is not None]
    if not found:
        return None
    limits = {figure.slice: _limits(use_case, figure) for figure in found}
    told = [n for f in found for n in (f.value, f.low, f.high, *limits[f.slice]) if n is not None]
    scale = Scale.around(told)
    bars = tuple(
        Bar(
            name=figure.slice,
            text=f"{plain(figure.value)} of {plain(figure.rows)}",
            at=scale.at(figure.value),
            low=None if figure.low is None else scale.at(figure.low),
            high=None if figure.high is None else scale.at(figure.high),
            limits=tuple(scale.at(limit) for limit in limits[figure.slice]),
        )
        for figure in found
        if figure.value is not None
    )
    return (short(scale.low), short(scale.high)), bars


def _limits(use_case: UseCase, figure: Figure) -> tuple[float, ...]:
    """What the gate holds a slice to by this metric; its names begin or end with the column's."""
    bounds = [
        policy.thresholds[figure.metric]
        for policy in use_case.gate.slices
        if policy.column in figure.slice.split(" ") and figure.metric in policy.thresholds
    ]
    worst = "min" if figure.metric in HIGHER_IS_BETTER else "max"
    return tuple(limit for bound in bounds if (limit := getattr(bound, worst)) is not None)
