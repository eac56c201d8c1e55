"""Plots of the search: what was tried, what won, and which hyper-parameters mattered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sluice.domain.figures import plain
from sluice.domain.measures import HIGHER_IS_BETTER
from sluice.domain.use_case import UseCase
from sluice.training.evidence import leverage
from sluice.training.evidence.plots.canvas import bounded, canvas, label, measured, note, short, thousands
from sluice.training.search import SearchResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(use_case: UseCase, result: SearchResult) -> Iterator[tuple[str, Figure]]:
    """Every plot of a search, as name and figure."""
    yield "search", history(use_case, result)
    yield "folds", folds(use_case, result)
    yield "parallel_coordinates", parallel_coordinates(use_case, result)
    yield "parameter_importance", parameter_importance(use_case, result)


def history(use_case: UseCase, result: SearchResult) -> Figure:
    """The score of every trial, by family, and the best so far; hollow: given up before the last fold."""
    figure, axes = canvas()
    scored = [a for a in result.attempts if a.scores]
    low, high = bounded([a.mean for a in scored])
    for number, family in enumerate(sorted({a.family for a in scored})):
        own = [a for a in scored if a.family == family]
        colours = [f"C{number}" if a.state == "complete" else "none" for a in own]
        heights = np.clip([a.mean for a in own], low, high)
        axes.scatter([a.number for a in own], heights, s=26, c=colours, edgecolors=f"C{number}")
        axes.scatter([], [], s=26, color=f"C{number}", label=family.replace("_", " "))
    complete = [a for a in scored if a.state == "complete"]
    gather = np.maximum if result.metric in HIGHER_IS_BETTER else np.minimum
    best = gather.accumulate([a.mean for a in complete])
    axes.step([a.number for a in complete], best, where="post", color="black", linewidth=1, label="best so far")
    axes.set_ylim(low, high + 0.03 * (high - low))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    label(axes, f"Search: {len(result.attempts)} trials (hollow: given up)", "trial", _cross_validated(use_case))
    thousands(axes, y=True)
    return figure


def folds(use_case: UseCase, result: SearchResult) -> Figure:
    """The score of the best on each fold."""
    figure, axes = canvas()
    best = result.best
    axes.axhspan(best.mean - best.deviation, best.mean + best.deviation, color="C0", alpha=0.15, label="± 1 sd")
    axes.axhline(best.mean, color="black", linewidth=1, label=f"mean {plain(best.mean)}")
    axes.plot(range(1, len(best.scores) + 1), best.scores, "o", markersize=8, label="fold")
    axes.set_xticks(range(1, len(best.scores) + 1))
    axes.margins(x=0.1, y=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    title = f"The best trial, {best.family.replace('_', ' ')}: its folds"
    label(axes, title, "fold", measured(use_case, use_case.search_metric))
    thousands(axes, y=True)
    return figure


def parallel_coordinates(use_case: UseCase, result: SearchResult) -> Figure:
    """Every trial of the best's family as a line over its hyper-parameters; the best one is black."""
    family = result.best.family
    own = [a for a in result.attempts if a.family == family and a.state == "complete"]
    names = sorted({name for a in own for name in a.parameters if leverage.varies(own, name)})
    figure, axes = canvas()
    title = f"Trials of {family.replace('_', ' ')}"
    if not names:
        note(axes, f"{len(own)} trials of {family}: no hyper-parameter varied")
        axes.set_title(title, fontsize=11)
        return figure
    low, high = bounded([a.mean for a in own])
    score = np.clip((np.array([a.mean for a in own]) - low) / (high - low), 0, 1)
    columns = [leverage.positions(use_case, family, own, name) for name in names]
    columns.append(leverage.Positions(tuple(score.tolist()), ((0.0, plain(low)), (1.0, plain(high)))))
    shade = ScalarMappable(
        Normalize(low, high), "viridis_r" if use_case.search_metric in HIGHER_IS_BETTER else "viridis"
    )
    order = sorted(range(len(own)), key=lambda i: own[i].number == result.best.number)
    for i in order:
        is_best = own[i].number == result.best.number
        colour = "black" if is_best else shade.cmap(float(score[i]))
        heights = [column.heights[i] for column in columns]
        axes.plot(range(len(columns)), heights, color=colour, linewidth=2 if is_best else 1, marker="o", markersize=4)
    told = [f"{short(name)}\n{_value(result.best.parameters[name])}" for name in names]
    _ends(axes, [*told, f"{measured(use_case, use_case.search_metric)}\n{plain(result.best.mean)}"], columns)
    bar = figure.colorbar(shade, ax=axes, label=_cross_validated(use_case))
    bar.ax.tick_params(labelsize=8)
    label(axes, f"{title} (black, and the values below: the best)", "", "")
    return figure


def _ends(axes: Axes, names: list[str], columns: list[leverage.Positions]) -> None:
    """Name each upright, with what its ends stand for."""
    axes.set_ylim(-0.15, 1.15)
    axes.set_yticks([])
    for x, column in enumerate(columns):
        axes.axvline(x, color="grey", linewidth=0.8, zorder=0)
        for height, text in column.marks:
            below = height == 0
            axes.text(
                x, -0.03 if below else height + 0.03, text, ha="center", va="top" if below else "bottom", fontsize=7
            )
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
    axes.margins(x=0.08)


def parameter_importance(use_case: UseCase, result: SearchResult) -> Figure:
    """How much of the difference between trials each hyper-parameter of the best's family explains."""
    found = leverage.measure(use_case, result)
    figure, axes = canvas()
    title = f"Hyper-parameters of {result.best.family.replace('_', ' ')}: what mattered"
    if not found.shares:
        note(axes, f"{found.trials} complete trials of {result.best.family} are too few to tell")
        axes.set_title(title, fontsize=11)
        return figure
    ranked = sorted(found.shares.items(), key=lambda item: item[1])
    axes.barh([short(name) for name, _ in ranked], [share for _, share in ranked])
    for y, (_, share) in enumerate(ranked):
        axes.text(share, y, f" {share:.0%}" if found.method == "fanova" else f" {share:.2f}", va="center", fontsize=9)
    axes.margins(x=0.12)
    axes.set_ylim(len(ranked) - max(len(ranked), 4) - 0.6, len(ranked) - 0.4)
    kind = {
        "fanova": "share of the scores' variance that it explains (fANOVA)",
        "rank_correlation": "|rank correlation| with the score",
    }[found.method]
    label(axes, f"{title} ({found.trials} trials)", kind, "")
    return figure


def _cross_validated(use_case: UseCase) -> str:
    return f"cross-validated {measured(use_case, use_case.search_metric)}"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
