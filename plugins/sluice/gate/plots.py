"""Plots: where the marks of a report's pictures go. How they look is the page's business."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sluice.domain.evidence import Check, Curve, Evidence, Verdict
from sluice.domain.figures import Scale, Tick, plain, short
from sluice.domain.measures import TITLES

_BOUND = re.compile(r"[<>]=? (-?[\d.,]+)")


@dataclass(frozen=True)
class Point:
    """A bin: what was said of it, what was observed, between which ends, of how many rows."""

    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class CurvePlot:
    """What was said against what was observed, on one scale for both."""

    ticks: tuple[Tick, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Bar:
    """A slice: its number, with its interval and its limits.

    Attributes:
        name: The slice.
        text: The number as it is read.
        at: Where it is; None where there is none.
        low: Where its interval begins, if it has one.
        high: Where that ends.
        limits: Where its limits are.
        verdict: The check's.
    """

    name: str
    text: str
    at: float | None
    low: float | None
    high: float | None
    limits: tuple[float, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Bars:
    """Every slice by one metric, on one scale."""

    title: str
    ends: tuple[str, str]
    bars: tuple[Bar, ...]


def curve_plot(curve: Curve, is_share: bool) -> CurvePlot:
    """Lay out a curve.

    Args:
        curve: What a model said, and what was observed.
        is_share: Whether both are shares, and so lie between 0 and 1.
    """
    scale = Scale(0, 1) if is_share else Scale.around([*curve.said, *curve.low, *curve.high])
    read = (lambda value: f"{value:.1%}") if is_share else plain
    points = (
        Point(
            x=scale.at(said),
            y=scale.at(observed),
            low=scale.at(low),
            high=scale.at(high),
            text=f"said {read(said)}, observed {read(observed)} ({read(low)} to {read(high)}), {plain(rows)} rows",
        )
        for said, observed, low, high, rows in zip(
            curve.said, curve.observed, curve.low, curve.high, curve.rows, strict=True
        )
    )
    return CurvePlot(scale.ticks(), tuple(points))


def slices(evidence: tuple[Evidence, ...]) -> tuple[Bars, ...]:
    """Lay out what was found on slices, metric by metric."""
    by_metric: dict[str, list[Check]] = {}
    for part in evidence:
        for check in part.checks:
            if check.code.startswith("slice."):
                by_metric.setdefault(check.code.rpartition(".")[2], []).append(check)
    return tuple(_bars(title_of(metric), checks) for metric, checks in by_metric.items())


def title_of(metric: str) -> str:
    """What a metric is called where people read it; one of an older Sluice, by its name."""
    return next((title for name, title in TITLES.items() if name == metric), metric)


def _bars(title: str, checks: list[Check]) -> Bars:
    told = [number for c in checks for number in (c.value, *(c.interval or ()), *_limits(c)) if number is not None]
    scale = Scale.around(told or [0.0])
    return Bars(title, (short(scale.low), short(scale.high)), tuple(_bar(check, scale) for check in checks))


def _bar(check: Check, scale: Scale) -> Bar:
    _, column, group, _ = check.code.split(".")
    low, high = (scale.at(end) for end in check.interval) if check.interval else (None, None)
    return Bar(
        name=f"{column}: {group.replace('_', ' ')}",
        text="unknown" if check.value is None else plain(check.value),
        at=None if check.value is None else scale.at(check.value),
        low=low,
        high=high,
        limits=tuple(scale.at(limit) for limit in _limits(check)),
        verdict=check.verdict,
    )


def _limits(check: Check) -> list[float]:
    return [float(found.replace(",", "")) for found in _BOUND.findall(check.limit or "")]
