"""Plots of what the train rows settled before the search: how gaps are filled in, and how many clusters there are."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sluice.training.choices import Findings
from sluice.training.evidence.plots.canvas import canvas, label, short


def draw(findings: Findings) -> Iterator[tuple[str, Figure]]:
    """A plot of each thing that was measured, as name and figure."""
    if findings.overall:
        yield "imputation", imputation(findings)
    for name, silhouettes in findings.silhouettes.items():
        yield f"silhouette_{name}", silhouette(name, silhouettes, findings.choices.clusters[name])


def imputation(findings: Findings) -> Figure:
    """How far each way of filling in is from known values that were hidden; the chosen one is dark."""
    ways = list(findings.overall)
    figure, axes = canvas()
    colours = ["C0" if way == findings.choices.impute else "lightsteelblue" for way in ways]
    bars = axes.bar(ways, [findings.overall[way] for way in ways], color=colours, label="all columns")
    axes.bar_label(bars, fmt="%.3f")
    axes.margins(y=0.1)
    columns = sorted({column for by_column in findings.imputations.values() for column in by_column})
    if len(columns) > 1:
        for index, column in enumerate(columns[:8]):
            heights = [findings.imputations[way][column] for way in ways]
            axes.plot(ways, heights, ".", color=f"C{index + 1}", label=short(column))
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    title = f"Hidden values filled in: {findings.choices.impute} was chosen"
    label(axes, title, "way of filling in", "RMSE [standard deviations of the column]")
    return figure


def silhouette(name: str, silhouettes: dict[int, float], chosen: int) -> Figure:
    """How clearly the clusters are apart, by how many there are."""
    figure, axes = canvas()
    counts = sorted(silhouettes)
    axes.plot(counts, [silhouettes[k] for k in counts], marker="o")
    axes.plot([chosen], [silhouettes[chosen]], marker="o", markersize=10, color="C1", linestyle="none", label="chosen")
    axes.annotate(f"k = {chosen}", (chosen, silhouettes[chosen]), textcoords="offset points", xytext=(8, 8))
    axes.margins(y=0.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    label(axes, f"Clusters {name!r}: how clearly they are apart", "number of clusters k", "mean silhouette (-1 to 1)")
    return figure
