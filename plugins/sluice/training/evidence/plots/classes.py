"""Plots of classes: how well they are told apart, and how far their probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_curve

from sluice.adapters.metrics import CALIBRATION_BINS, Vector, chosen
from sluice.training.candidate import Candidate
from sluice.training.evidence.plots.canvas import COLOURS, canvas, class_names, figure_of, label

#: Classes that are drawn one against the rest, the most frequent ones.
_MOST_CURVES = 10
#: Up to so many classes, the cells of the confusion matrix are written out.
_MOST_WRITTEN = 12


def draw(candidate: Candidate) -> Iterator[tuple[str, Figure]]:
    """Every plot of a model's answers, as name and figure."""
    yield "confusion", confusion(candidate)
    yield "roc", roc(candidate)
    yield "precision_recall", precision_recall(candidate)
    yield "calibration", calibration(candidate)


def confusion(candidate: Candidate) -> Figure:
    """For each true class, how many of the test rows are called what."""
    names = class_names(candidate.use_case)
    count = len(names)
    actual, picked = candidate.rows.test.target.astype(int), chosen(candidate.predicted).astype(int)
    cells = np.bincount(actual * count + picked, minlength=count * count).reshape(count, count)
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    figure, axes = canvas(max(5.0, 0.3 * count + 2))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class's rows")
    if count <= _MOST_WRITTEN:
        size = 11 if count <= 5 else 7
        for (row, column), rows in np.ndenumerate(cells):
            ink = "white" if shares[row, column] > 0.5 else "black"
            text = f"{rows:,}\n{shares[row, column]:.1%}"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)
    axes.set_xticks(range(count), names, rotation=0 if count <= 3 else 45, ha="center" if count <= 3 else "right")
    axes.set_yticks(range(count), names)
    label(axes, f"Held-out rows: what they are and what they are called ({len(actual):,} rows)", "called", "true class")
    return figure


def roc(candidate: Candidate) -> Figure:
    """True against false positives at every threshold; of several classes, each one against the rest."""
    figure, axes = canvas()
    for index, name, colour in _curves(candidate):
        true = candidate.rows.test.target == index
        wrong, right, _ = roc_curve(true, candidate.predicted[:, index])
        axes.plot(wrong, right, color=colour, label=f"{name}: area {auc(wrong, right):.3f}")
    axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":", label="by chance")
    axes.legend(loc="lower right", fontsize=9)
    label(axes, "Held-out rows: ROC curve", "false positive rate", "true positive rate (recall)")
    return figure


def precision_recall(candidate: Candidate) -> Figure:
    """Precision against recall at every threshold; of several classes, each one against the rest."""
    figure, axes = canvas()
    for index, name, colour in _curves(candidate):
        true, score = candidate.rows.test.target == index, candidate.predicted[:, index]
        precision, recall, _ = precision_recall_curve(true, score)
        area = average_precision_score(true, score)
        axes.step(recall, precision, where="post", color=colour, label=f"{name}: average precision {area:.3f}")
        axes.axhline(float(true.mean()), color=colour, linewidth=1, linestyle=":")
    axes.set_ylim(0, 1.05)
    axes.legend(loc="lower left", fontsize=9)
    label(axes, "Held-out rows: precision and recall (dotted: by chance)", "recall", "precision")
    return figure


def calibration(candidate: Candidate) -> Figure:
    """How often a class is true where its probability is so and so, and how many rows say so.

    Of two classes the positive one; of more the most probable one.
    """
    if len(candidate.use_case.classes) == 2:
        said, true = candidate.predicted[:, 1], candidate.rows.test.target == 1
        name = f"probability of {class_names(candidate.use_case)[1]}"
    else:
        said, true = candidate.predicted.max(axis=1), chosen(candidate.predicted) == candidate.rows.test.target
        name = "probability of the most probable class"
    bins = np.minimum((said * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=CALIBRATION_BINS)
    used = np.flatnonzero(counts)
    figure = figure_of(6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":", label="perfectly calibrated")
    means = [float(said[bins == b].mean()) for b in used]
    shares = np.array([float(true[bins == b].mean()) for b in used])
    upper.errorbar(
        means,
        shares,
        yerr=_spread(shares, counts[used].astype(np.float64)),
        marker="o",
        capsize=3,
        label="held-out rows ± 1 se",
    )
    upper.legend(loc="lower right", fontsize=9)
    error = candidate.metrics.get("test_calibration_error")
    told = f" (calibration error {error:.3f})" if error is not None else ""
    label(upper, f"Held-out rows: are the probabilities right?{told}", "", "share that is true")
    lower.bar((np.arange(CALIBRATION_BINS) + 0.5) / CALIBRATION_BINS, counts, width=0.9 / CALIBRATION_BINS)
    for b in used:
        lower.text((b + 0.5) / CALIBRATION_BINS, counts[b], f"{counts[b]:,}", ha="center", va="bottom", fontsize=8)
    lower.margins(y=0.25)
    label(lower, "", name, "rows")
    return figure


def _spread(shares: Vector, counts: Vector) -> tuple[Vector, Vector]:
    """Down and up to the ends of each share's interval of one standard error.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.
    """
    middle = (shares + 1 / (2 * counts)) / (1 + 1 / counts)
    half = np.sqrt(shares * (1 - shares) / counts + 1 / (4 * counts**2)) / (1 + 1 / counts)
    return np.maximum(shares - (middle - half), 0), np.maximum(middle + half - shares, 0)


def _curves(candidate: Candidate) -> Iterator[tuple[int, str, str]]:
    """Position, name and colour of the classes to draw: those that are there, and not everywhere."""
    names, actual = class_names(candidate.use_case), candidate.rows.test.target
    indices = [1] if len(names) == 2 else list(range(len(names)))
    there = [i for i in indices if 0 < np.sum(actual == i) < len(actual)]
    shown = sorted(sorted(there, key=lambda i: -int(np.sum(actual == i)))[:_MOST_CURVES])
    for index, colour in zip(shown, COLOURS, strict=False):
        yield index, names[index], colour
