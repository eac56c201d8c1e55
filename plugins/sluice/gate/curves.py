"""Curves: what a model says beside what was observed, in a handful of numbers that a report can draw."""

from __future__ import annotations

import numpy as np

from sluice.adapters.intervals import Ends, wilson
from sluice.adapters.metrics import Scores, Vector, chosen
from sluice.domain.evidence import Curve

#: Most bins, and fewest rows of one.
MOST_BINS = 10
ROWS_OF_A_BIN = 20


def curve(actual: Vector, scores: Scores) -> Curve:
    """The curve of a model on rows.

    Of two classes the positive one's probability is looked at, of more the chosen one's.

    Args:
        actual: Shape (rows,), what was observed; at least one row.
        scores: What the model says of the rows; every one a number, or probabilities.
    """
    said, observed = _sides(actual, scores)
    bins = max(1, min(MOST_BINS, len(said) // ROWS_OF_A_BIN))
    parts = np.array_split(np.argsort(said, kind="stable"), bins)
    ends = [_share(observed[part]) if scores.ndim == 2 else _middle(observed[part]) for part in parts]
    return Curve(
        said=tuple(float(said[part].mean()) for part in parts),
        observed=tuple(float(observed[part].mean()) for part in parts),
        low=tuple(low for low, _ in ends),
        high=tuple(high for _, high in ends),
        rows=tuple(len(part) for part in parts),
    )


def _sides(actual: Vector, scores: Scores) -> tuple[Vector, Vector]:
    if scores.ndim == 1:
        return np.asarray(scores), actual
    if scores.shape[1] == 2:
        return scores[:, 1], (actual == 1).astype(np.float64)
    return scores.max(axis=1), (chosen(scores) == actual).astype(np.float64)


def _share(observed: Vector) -> Ends:
    return wilson(int(observed.sum()), len(observed))


def _middle(observed: Vector) -> Ends:
    """Between the ends lie four fifths of what was observed."""
    low, high = np.quantile(observed, (0.1, 0.9))
    return float(low), float(high)
