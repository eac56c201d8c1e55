"""Performance: how well a release does on what it is asked, by the labels that come back and by estimate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from sluice.adapters.bundles import Bundle
from sluice.adapters.groups import groups
from sluice.adapters.intervals import draws, percentile
from sluice.adapters.metrics import Scores, Vector, measure
from sluice.adapters.warehouse import Warehouse
from sluice.domain.figures import plain
from sluice.domain.measures import Metric, Task, metrics_of
from sluice.domain.use_case import UseCase
from sluice.monitoring import estimation, feedback, portrait
from sluice.monitoring.estimation import FEWEST_UNSEEN, Estimate, Target, Unseen
from sluice.monitoring.feedback import Labelled, Span
from sluice.monitoring.judgement import LABELLED, Figure, Verdict, judge
from sluice.monitoring.pictures import Past, Seen

__all__ = ["Figure", "Performance", "check", "measured"]

#: Checks before this one whose estimates are held against what became known since.
_PAST, _PAST_ROWS = 14, 2_000


@dataclass(frozen=True)
class Performance:
    """What one check found.

    Attributes:
        version: The release that was looked after.
        verdict: `unknown` is a verdict of its own and never counts as stable.
        message: The verdict and its grounds in words.
        start: The first moment of the predictions that were looked at.
        end: The moment after the last.
        labelled_rows: How many of them have a label.
        predicted_rows: How many there are.
        figures: Every number that could be told.
        html: A page for people; None where there was no prediction.
    """

    version: int
    verdict: Verdict
    message: str
    start: datetime
    end: datetime
    labelled_rows: int
    predicted_rows: int
    figures: tuple[Figure, ...] = ()
    html: str | None = None


def check(warehouse: Warehouse, use_case: UseCase, bundle: Bundle, version: int, now: datetime) -> Performance:
    """Measure a release on its latest predictions, and hold the metric that decides against its contract.

    Looked at are the whole UTC days before `now`, as many as `monitoring.performance.days` says. Of more rows than
    `monitoring.sample_rows`, labelled or not, a repeatable sample is measured, and the message says so.

    Args:
        warehouse: Holds answers and labels.
        use_case: Whose release; its policy decides.
        bundle: The release's: what it promised, and how right it was on rows that no training saw.
        version: The release's version.
        now: The moment the check is for; aware.
    """
    found, known = measured(warehouse, use_case, bundle, version, now)
    if not found.predicted_rows:
        return found
    span = _span(use_case, bundle, version, now)
    past = _past(warehouse, use_case, span)
    seen = Seen(known.actual, known.said, _unseen(bundle), span.classes, past)
    return replace(found, html=portrait.page(use_case, found, seen))


def measured(
    warehouse: Warehouse, use_case: UseCase, bundle: Bundle, version: int, now: datetime
) -> tuple[Performance, Labelled]:
    """Measure and judge as `check` does, and draw nothing; also return the labelled predictions.

    The arguments are the same.
    """
    span = _span(use_case, bundle, version, now)
    most, unseen = use_case.monitoring.sample_rows, _unseen(bundle)
    known = feedback.labelled(warehouse, span, most)
    said, made = feedback.answered(warehouse, span, most)
    promised = {metric: _promised(bundle, metric) for metric in metrics_of(use_case.task)}
    figures = [Figure("", m, "promised", value, None, None, 0) for m, value in promised.items() if value is not None]
    figures += _realised(use_case, "", known.actual, known.said)
    whole = _estimated(use_case, bundle, unseen, "", said)
    same = known.rows == made and made == len(said)
    figures += whole
    figures += (
        [replace(f, slice=LABELLED) for f in whole]
        if same
        else _estimated(use_case, bundle, unseen, LABELLED, known.said)
    )
    sliced, notes = _sliced(warehouse, use_case, bundle, span, known)
    notes = [*_sampling(known, len(said), made), *_unknown(unseen), *notes]
    verdict, message = judge(use_case, figures, known.total - known.strange)
    found = Performance(
        version=version,
        verdict=verdict,
        message=" ".join([message, *notes]),
        start=span.start,
        end=span.end,
        labelled_rows=known.total,
        predicted_rows=made,
        figures=(*figures, *sliced),
    )
    return found, known


def _span(use_case: UseCase, bundle: Bundle, version: int, now: datetime) -> Span:
    classes = tuple(label.value for label in bundle.contract.output.labels)
    return Span.before(now, use_case.monitoring.performance.days, use_case.name, version, classes)


def _promised(bundle: Bundle, metric: Metric) -> float | None:
    contract = bundle.contract
    return contract.metrics.get(metric, contract.out_of_fold.get(metric))


def _realised(use_case: UseCase, part: str, actual: Vector, said: Scores) -> list[Figure]:
    """Every metric with its bootstrap interval; see `adapters.intervals.percentile` for the source."""
    if not len(actual):
        return []
    task: Task = use_case.task
    drawn = draws(metrics_of(task), actual, said, use_case.training.seed)
    values = measure(task, actual, said)
    figures = []
    for metric in metrics_of(task):
        value = values[metric]
        low, high = percentile(drawn[metric]) or (None, None)
        figures.append(Figure(part, metric, "realised", value if np.isfinite(value) else None, low, high, len(actual)))
    return figures


def _estimated(use_case: UseCase, bundle: Bundle, unseen: Unseen | None, part: str, said: Scores) -> list[Figure]:
    seed = use_case.training.seed
    if unseen is None:
        return []
    estimates: Mapping[Metric, Estimate]
    if use_case.classes:
        estimates = estimation.of_classes(said, unseen, seed)
    else:
        interval = bundle.contract.interval
        low, high = use_case.target_column.range or (-np.inf, np.inf)
        target = Target(interval.scale if interval else "identity", low, high)
        estimates = estimation.of_numbers(said, unseen, target, seed)
    return [Figure(part, m, "estimated", e.value, e.low, e.high, len(said)) for m, e in estimates.items()]


def _unseen(bundle: Bundle) -> Unseen | None:
    kept = bundle.unseen()
    if kept is None:
        return None
    said = kept.drop(columns="actual").to_numpy(dtype=np.float64)
    return Unseen(kept["actual"].to_numpy(dtype=np.float64), said if bundle.contract.output.labels else said[:, 0])


def _sliced(
    warehouse: Warehouse, use_case: UseCase, bundle: Bundle, span: Span, known: Labelled
) -> tuple[list[Figure], list[str]]:
    """The realised metrics of every slice that is large enough, and a note on what could not be sliced."""
    if not known.rows:
        return [], []
    unlogged = frozenset(given.name for given in bundle.contract.inputs if given.sensitive)
    rows = feedback.inputs(warehouse, known, feedback.logged(use_case, unlogged))
    rows[use_case.target] = [span.classes[int(each)] for each in known.actual] if span.classes else known.actual
    if use_case.target_column.type == "boolean":
        rows[use_case.target] = rows[use_case.target] == "true"
    figures: list[Figure] = []
    small: list[str] = []
    hidden: list[str] = []
    for policy in use_case.gate.slices:
        if policy.column not in rows:
            hidden.append(policy.column)
            continue
        for group in groups(use_case.column(policy.column), policy.edges, rows[policy.column]):
            size = int(group.rows.sum())
            if 0 < size < policy.min_rows:
                small.append(f"{group.name} ({plain(size)})")
            elif size:
                figures += _realised(use_case, group.name, known.actual[group.rows], known.said[group.rows])
    notes = [f"Not sliced, because the log does not hold it: {', '.join(hidden)}."] if hidden else []
    return figures, notes + ([f"Too few labels to tell of: {', '.join(small)}."] if small else [])


def _unknown(unseen: Unseen | None) -> list[str]:
    if unseen is None:
        return ["No estimate: the release was made before bundles kept what it said of unseen rows; train again."]
    if len(unseen.actual) < FEWEST_UNSEEN:
        return [f"No estimate: {len(unseen.actual)} unseen rows say too little; {FEWEST_UNSEEN} are needed."]
    return []


def _sampling(known: Labelled, read: int, made: int) -> list[str]:
    notes = []
    if known.rows + known.strange < known.total:
        notes.append(f"Measured on a sample of {plain(known.rows)} of {plain(known.total)} labelled predictions.")
    if read < made:
        notes.append(f"Estimated on a sample of {plain(read)} of {plain(made)} predictions.")
    if known.strange:
        notes.append(f"{plain(known.strange)} labels were left out: the release does not know their class.")
    return notes


def _past(warehouse: Warehouse, use_case: UseCase, span: Span) -> tuple[Past, ...]:
    """What earlier checks estimated, beside what the labels say of the same predictions by now."""
    metric = use_case.performance_metric
    values = span.values(_PAST) | {"metric": metric}
    past = []
    for row in warehouse.rows(warehouse.statement("monitoring/estimated_before"), values):
        then = Span(use_case.name, row["version"], row["window_start"], row["window_end"], span.classes)
        known = feedback.labelled(warehouse, then, _PAST_ROWS)
        realised = None
        if known.rows >= use_case.monitoring.performance.min_labels:
            value = measure(use_case.task, known.actual, known.said)[metric]
            drawn = draws([metric], known.actual, known.said, use_case.training.seed)[metric]
            ends = percentile(drawn)
            realised = (value, *ends) if ends and np.isfinite(value) else None
        estimated = (row["value"], row["low"], row["high"])
        past.append(Past(row["version"], row["window_end"], estimated, realised, known.total))
    return tuple(past)
