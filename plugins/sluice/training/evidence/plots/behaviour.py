"""Plots of how the model behaves: with fewer rows, and without one of its inputs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase
from sluice.training.evidence.importance import Importances
from sluice.training.evidence.learning import LearningCurve
from sluice.training.evidence.plots.canvas import canvas, label, measured, note, short, thousands

#: Inputs that are drawn, those that matter most.
_MOST_INPUTS = 30


def learning(use_case: UseCase, curve: LearningCurve) -> Figure:
    """The metric on fitted and on unseen rows, by how many were fitted."""
    figure, axes = canvas()
    title = "Learning curve: would more rows help?"
    if len(curve.points) < 2:
        note(axes, "The rows are too few to fit on a share of them")
        axes.set_title(title, fontsize=11)
        return figure
    rows = [point.rows for point in curve.points]
    splits = len(curve.points[0].unseen)
    for name, scores, above in (
        ("rows that were fitted", [p.fitted for p in curve.points], False),
        ("rows of the fold that were not", [p.unseen for p in curve.points], True),
    ):
        means = [float(np.mean(s)) for s in scores]
        spread = [float(np.std(s)) for s in scores] if splits > 1 else None
        axes.errorbar(rows, means, yerr=spread, marker="o", capsize=3, label=name)
        for x, y in zip(rows, means, strict=True):
            axes.annotate(plain(y), (x, y), (6, 7 if above else -14), textcoords="offset points", fontsize=8)
    axes.margins(x=0.12, y=0.2)
    axes.legend()
    told = f"mean ± sd of {splits} folds" if splits > 1 else "one fold"
    label(axes, f"{title} ({told}, lower is better)", "rows fitted on", measured(use_case, curve.metric))
    thousands(axes, x=True, y=True)
    return figure


def importance(use_case: UseCase, importances: Importances) -> Figure:
    """What each input is worth, the one that matters most on top."""
    shown = importances.inputs[:_MOST_INPUTS][::-1]
    figure, axes = canvas(max(5.0, 0.22 * len(shown) + 1.2))
    axes.barh([short(i.name) for i in shown], [i.mean for i in shown], xerr=[i.deviation for i in shown], capsize=2)
    axes.axvline(0, color="black", linewidth=1)
    left_out = len(importances.inputs) - len(shown)
    more = f" ({left_out} lesser ones left out)" if left_out else ""
    metric = measured(use_case, importances.metric)
    label(axes, f"What each input is worth, on held-out rows{more}", f"{metric} added by shuffling it", "")
    thousands(axes, x=True)
    return figure
