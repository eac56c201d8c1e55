"""Plots of numbers: how far what was predicted is from what was observed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from sluice.training import intervals
from sluice.training.candidate import Candidate
from sluice.training.evidence.plots.canvas import canvas, label, target, thousands

#: Rows drawn.
_MOST_POINTS = 5_000


def draw(candidate: Candidate) -> Iterator[tuple[str, Figure]]:
    """Every plot of a model's answers, as name and figure."""
    yield "predicted_vs_actual", predicted_vs_actual(candidate)
    yield "residuals", residuals(candidate)
    yield "residuals_vs_predicted", residuals_vs_predicted(candidate)


def predicted_vs_actual(candidate: Candidate) -> Figure:
    """What was predicted for the test rows against what was observed, with the interval where there is one."""
    figure, axes = canvas()
    actual, predicted = _points(candidate)
    axes.scatter(actual, predicted, s=4, alpha=0.3, rasterized=True)
    ends = np.array([actual.min(), actual.max()])
    axes.plot(ends, ends, color="black", linewidth=1, label="predicted = observed")
    interval = candidate.bundle.contract.interval
    if interval is not None:
        grid = np.linspace(predicted.min(), predicted.max(), 200)
        for edge, name in zip(intervals.ends(interval, grid), (f"{interval.level:.0%} interval", None), strict=True):
            axes.plot(edge, grid, color="C1", linewidth=1, linestyle="--", label=name)
    axes.legend(loc="upper left")
    name = target(candidate.use_case)
    label(
        axes, f"Held-out rows: predicted against observed ({_told(candidate)})", f"observed {name}", f"predicted {name}"
    )
    thousands(axes, x=True, y=True)
    return figure


def residuals(candidate: Candidate) -> Figure:
    """How the errors on the test rows are distributed; the 0.5 % farthest on either side share the last bins."""
    figure, axes = canvas()
    errors = candidate.predicted - candidate.rows.test.target
    low, high = np.percentile(errors, [0.5, 99.5])
    axes.hist(np.clip(errors, low, high), bins=60)
    axes.axvline(0, color="black", linewidth=1)
    axes.axvline(float(np.median(errors)), color="C1", linestyle="--", label=f"median {np.median(errors):,.4g}")
    axes.legend()
    label(
        axes,
        "Held-out rows: errors (the outer 1 % in the end bins)",
        f"predicted - observed {target(candidate.use_case)}",
        "rows",
    )
    thousands(axes, x=True, y=True)
    return figure


def residuals_vs_predicted(candidate: Candidate) -> Figure:
    """Whether the errors grow, or lean to one side, with what is predicted."""
    figure, axes = canvas()
    actual, predicted = _points(candidate)
    axes.scatter(predicted, predicted - actual, s=4, alpha=0.3, rasterized=True)
    axes.axhline(0, color="black", linewidth=1)
    middles, medians = _medians(predicted, predicted - actual)
    axes.plot(middles, medians, color="C1", marker="o", markersize=4, label="median of a tenth of the rows")
    axes.legend()
    name = target(candidate.use_case)
    label(axes, "Held-out rows: errors by prediction", f"predicted {name}", f"predicted - observed {name}")
    thousands(axes, x=True, y=True)
    return figure


def _points(candidate: Candidate) -> tuple[intervals.Vector, intervals.Vector]:
    """Observed and predicted of rows spread over the test rows."""
    rows = slice(None, None, max(1, -(-len(candidate.predicted) // _MOST_POINTS)))
    return candidate.rows.test.target[rows], candidate.predicted[rows]


def _medians(at: intervals.Vector, values: intervals.Vector) -> tuple[list[float], list[float]]:
    tenths = [part for part in np.array_split(np.argsort(at, kind="stable"), 10) if len(part)]
    return [float(np.median(at[part])) for part in tenths], [float(np.median(values[part])) for part in tenths]


def _told(candidate: Candidate) -> str:
    r2 = candidate.metrics.get("test_r2")
    return f"{len(candidate.rows.test):,} rows" + (f", R² {r2:.3f}" if r2 is not None else "")
