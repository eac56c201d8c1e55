"""Plots: what a person looks at first when judging a training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.inspection import permutation_importance
from threadpoolctl import threadpool_limits

from sluice.training.candidate import Candidate
from sluice.training.search import SearchResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Rows drawn, and rows that importance is measured on.
_MOST_POINTS = 5_000
_MOST_ROWS = 1_000


def draw(candidate: Candidate, result: SearchResult) -> Iterator[tuple[str, Figure]]:
    """Every plot of a training, as name and figure."""
    yield "predicted_vs_actual", predicted_vs_actual(candidate)
    yield "residuals", residuals(candidate)
    yield "search", history(result)
    yield "importance", importance(candidate)


def predicted_vs_actual(candidate: Candidate) -> Figure:
    """What was predicted for the test rows against what was observed."""
    figure, axes = _canvas()
    rows = slice(None, None, max(1, len(candidate.predicted) // _MOST_POINTS))
    actual = candidate.rows.test.target[rows]
    axes.scatter(actual, candidate.predicted[rows], s=4, alpha=0.3)
    ends = [float(actual.min()), float(actual.max())]
    axes.plot(ends, ends, color="black", linewidth=1)
    _label(axes, "Held-out rows", f"observed {_target(candidate)}", f"predicted {_target(candidate)}")
    return figure


def residuals(candidate: Candidate) -> Figure:
    """How the errors on the test rows are distributed."""
    figure, axes = _canvas()
    axes.hist(candidate.predicted - candidate.rows.test.target, bins=60)
    axes.axvline(0, color="black", linewidth=1)
    _label(axes, "Errors on held-out rows", f"predicted - observed {_target(candidate)}", "rows")
    return figure


def history(result: SearchResult) -> Figure:
    """The score of every trial, by family, and the best so far."""
    figure, axes = _canvas()
    for family in sorted({attempt.family for attempt in result.attempts}):
        own = [attempt for attempt in result.attempts if attempt.family == family]
        axes.scatter([a.number for a in own], [a.mean for a in own], s=18, label=family)
    complete = [attempt for attempt in result.attempts if not attempt.pruned]
    best = np.minimum.accumulate([attempt.mean for attempt in complete])
    axes.step([a.number for a in complete], best, where="post", color="black", linewidth=1, label="best so far")
    axes.legend()
    _label(axes, "Search", "trial", f"cross-validated {result.metric}")
    return figure


def importance(candidate: Candidate) -> Figure:
    """How much worse the model gets on test rows when one input is shuffled."""
    rows = candidate.rows.test
    some = slice(None, None, max(1, -(-len(rows) // _MOST_ROWS)))
    with threadpool_limits(limits=1):
        measured = permutation_importance(
            candidate.model,
            rows.inputs.iloc[some],
            rows.target[some],
            scoring="neg_root_mean_squared_error",
            n_repeats=3,
            random_state=candidate.use_case.training.seed,
        )
    order = np.argsort(measured.importances_mean)
    figure, axes = _canvas()
    names = [rows.inputs.columns[i] for i in order]
    axes.barh(names, measured.importances_mean[order], xerr=measured.importances_std[order])
    _label(axes, "Importance of the inputs", f"RMSE added by shuffling {_target(candidate)}", "")
    return figure


def _canvas() -> tuple[Figure, Axes]:
    # Not through pyplot, whose figures are global and leak between tasks of one process.
    figure = Figure(figsize=(7, 5), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _target(candidate: Candidate) -> str:
    column = candidate.use_case.target_column
    return f"{column.name} [{column.unit}]" if column.unit else column.name
