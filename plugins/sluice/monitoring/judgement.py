"""Judgement: whether a release does as well as it promised, from numbers that were measured and estimated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sluice.domain.figures import plain
from sluice.domain.measures import HIGHER_IS_BETTER, TITLES, Metric
from sluice.domain.use_case import UseCase

Verdict = Literal["stable", "degraded", "unknown"]
Basis = Literal["realised", "estimated", "promised"]

#: The slice of the predictions whose truth is known: what was estimated of them can be held against it.
LABELLED = "labelled"


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        slice: Empty for all predictions, `labelled` for those whose truth is known, else the slice's name.
        metric: Which one.
        basis: `realised` from labels, `estimated` without them, `promised` by the release's contract.
        value: What it is; None where it cannot be told.
        low: Where its 95 % interval begins, if it has one.
        high: Where that ends.
        rows: How many it is of; 0 where nobody wrote that down.
    """

    slice: str
    metric: Metric
    basis: Basis
    value: float | None
    low: float | None
    high: float | None
    rows: int


def judge(use_case: UseCase, figures: Iterable[Figure], labels: int) -> tuple[Verdict, str]:
    """Hold the metric that decides against what was promised, and say so in words.

    The whole interval must lie on one side of the limit: beyond it performance has dropped, within it performance is
    stable, and while the limit lies inside the interval nobody can tell. An estimate never decides, because it cannot
    see what it takes for granted.

    Args:
        use_case: Its `monitoring.performance`.
        figures: Of the check.
        labels: How many predictions have one.
    """
    metric, policy = use_case.performance_metric, use_case.monitoring.performance
    title = TITLES[metric]
    promised = one(figures, "promised", metric)
    realised = one(figures, "realised", metric)
    expectation = _expectation(figures, metric)
    if promised is None or promised.value is None:
        return "unknown", f"Could not tell: the release's contract does not say what {title} it had.{expectation}"
    limit = limit_of(metric, promised.value, policy.max_drop)
    if labels < policy.min_labels:
        later = f" Where labels come later than {policy.days} days, raise `monitoring.performance.days`."
        few = f"{plain(labels)} labelled predictions of {policy.days} days are too few"
        return "unknown", f"Could not tell: {few}; {plain(policy.min_labels)} are needed.{later}{expectation}"
    if realised is None or realised.value is None or realised.low is None or realised.high is None:
        return (
            "unknown",
            f"Could not tell: {title} cannot be measured on {plain(labels)} labelled predictions.{expectation}",
        )
    words = (
        f"{title} is {plain(realised.value)} ({plain(realised.low)} to {plain(realised.high)}) on "
        f"{plain(realised.rows)} labelled predictions; {plain(promised.value)} was promised, "
        f"and the limit is {plain(limit)}"
    )
    worst, best = (realised.low, realised.high) if metric in HIGHER_IS_BETTER else (-realised.high, -realised.low)
    bound = limit if metric in HIGHER_IS_BETTER else -limit
    if best < bound:
        return "degraded", f"Degraded: {words}.{expectation}"
    if worst > bound:
        return "stable", f"Stable: {words}.{expectation}"
    return "unknown", f"Could not tell: {words}, which lies within the interval.{expectation}"


def limit_of(metric: Metric, promised: float, max_drop: float) -> float:
    """The value beyond which a metric has dropped: worse than promised by the given share of it."""
    room = max_drop * abs(promised)
    return promised - room if metric in HIGHER_IS_BETTER else promised + room


def _expectation(figures: Iterable[Figure], metric: Metric) -> str:
    """What the estimate has to say beside the labels, or in their place."""
    realised, same = one(figures, "realised", metric), one(figures, "estimated", metric, LABELLED)
    whole = one(figures, "estimated", metric)
    if realised and realised.value is not None and same and same.low is not None and same.high is not None:
        told = f" Without their labels {plain(same.low)} to {plain(same.high)} was to be expected"
        low, high = (same.low, same.high) if metric in HIGHER_IS_BETTER else (-same.high, -same.low)
        value = realised.value if metric in HIGHER_IS_BETTER else -realised.value
        if value < low:
            return f"{told}: what is true of the rows seems to have changed, not only which rows are asked about."
        return f"{told}{', which is worse than it turned out' if value > high else ', as it turned out'}."
    if whole and whole.low is not None and whole.high is not None:
        return f" Without labels {TITLES[metric]} is estimated at {plain(whole.low)} to {plain(whole.high)}."
    return ""


def one(figures: Iterable[Figure], basis: Basis, metric: Metric, part: str = "") -> Figure | None:
    """The figure of a metric on one basis, of all predictions or of a slice; None where there is none."""
    return next((f for f in figures if (f.slice, f.metric, f.basis) == (part, metric, basis)), None)
