"""The canvas: a figure that belongs to nobody else, and what axes are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import EngFormatter

from sluice.domain.measures import TITLES, Metric
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: One colour each for up to ten things, in a fixed order.
COLOURS = tuple(f"C{i}" for i in range(10))
_LONGEST = 28


def canvas(height: float = 5.0) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, 7 inches wide, 100 dots to an inch."""
    figure = figure_of(height)
    return figure, figure.add_subplot()


def figure_of(height: float = 5.0) -> Figure:
    """An empty figure, 7 inches wide."""
    # Not through pyplot, whose figures are global and leak between tasks of one process.
    figure = Figure(figsize=(7, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def plain_text(figure: Figure) -> None:
    """Draw every text as it stands: a unit or a class may hold two dollar signs, which are no formula here."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)


def label(axes: Axes, title: str, x: str, y: str) -> None:
    """Say what is shown."""
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def target(use_case: UseCase) -> str:
    """What is predicted, with its unit."""
    column = use_case.target_column
    return f"{column.name} [{column.unit}]" if column.unit else column.name


def measured(use_case: UseCase, metric: Metric) -> str:
    """A metric, with its unit where it has one."""
    name = TITLES[metric]
    unit = use_case.target_column.unit if metric in ("rmse", "mae") else {"log_loss": "nats"}.get(metric)
    return f"{name} [{unit}]" if unit else name


def short(text: str) -> str:
    """A name that fits beside an axis."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def class_names(use_case: UseCase) -> list[str]:
    """What people call the classes, in their order."""
    return [short(use_case.labels.get(c, c)) for c in use_case.classes]


def thousands(axes: Axes, *, x: bool = False, y: bool = False) -> None:
    """Write large numbers as 250k."""
    if x and max(map(abs, axes.get_xlim())) >= 10_000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if y and max(map(abs, axes.get_ylim())) >= 10_000:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def bounded(values: Sequence[float]) -> tuple[float, float]:
    """Ends of an axis that show the values' bulk: far outliers, and what is no number, lie beyond."""
    finite = np.array([v for v in values if np.isfinite(v)])
    if not len(finite):
        return 0.0, 1.0
    low, high = np.percentile(finite, [25, 75])
    reach = 3 * (high - low) or float("inf")
    inside = finite[(finite >= low - reach) & (finite <= high + reach)]
    margin = 0.05 * (inside.max() - inside.min()) or 0.05 * abs(float(inside.max())) or 0.5
    return float(inside.min() - margin), float(inside.max() + margin)


def note(axes: Axes, text: str) -> None:
    """Say why there is nothing to see."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, wrap=True)
    axes.set_axis_off()
