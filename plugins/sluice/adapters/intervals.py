"""Intervals: how far a measured number may be from what more rows would show."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from sluice.adapters.metrics import Scores, Vector
from sluice.adapters.resamples import resampled, weights
from sluice.domain.evidence import Check
from sluice.domain.measures import Metric

#: Of every interval that is reported beside a number that decides by itself.
CONFIDENCE = 0.95
RESAMPLES = 200
#: The standard normal quantile of that confidence, both sides.
Z = 1.959964

Ends = tuple[float, float]


def draws(metrics: Iterable[Metric], actual: Vector, scores: Scores, seed: int) -> dict[Metric, Vector]:
    """Metrics in resamples of the rows, the same resamples for each.

    Args:
        metrics: Which ones.
        actual: Shape (rows,), what was observed.
        scores: What the model says of the rows.
        seed: Of the resampling.

    Returns:
        Metric -> shape (resamples,); NaN where a resample cannot tell.
    """
    each = {metric: resampled(metric, actual, scores) for metric in metrics}
    found: dict[Metric, list[Vector]] = {metric: [] for metric in each}
    for drawn in weights(len(actual), RESAMPLES, np.random.default_rng(seed)):
        for metric, of in each.items():
            found[metric].append(of(drawn))
    return {metric: np.concatenate(parts) for metric, parts in found.items()}


def percentile(drawn: Vector, confidence: float = CONFIDENCE) -> Ends | None:
    """The ends between which the given share of resamples lies.

    A resample that cannot tell counts as the lowest at the lower end and as the highest at the upper.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).

    Args:
        drawn: Shape (resamples,).
        confidence: Between 0 and 1.

    Returns:
        None where too many resamples cannot tell.
    """
    told, tail = np.isfinite(drawn), (1 - confidence) / 2
    low = float(np.quantile(np.where(told, drawn, -np.inf), tail, method="lower"))
    high = float(np.quantile(np.where(told, drawn, np.inf), 1 - tail, method="higher"))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def wilson(hits: int, count: int) -> Ends:
    """The interval of a share: sound for few rows, and for shares of none or all.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.

    Args:
        hits: How many of them.
        count: Of how many; at least 1.
    """
    share, squared = hits / count, Z**2
    middle = (share + squared / (2 * count)) / (1 + squared / count)
    half = Z / (1 + squared / count) * math.sqrt(share * (1 - share) / count + squared / (4 * count**2))
    # Both ends are exact where rounding would leave a trace.
    return max(0.0, middle - half) if hits else 0.0, min(1.0, middle + half) if hits < count else 1.0


def beside(check: Check, ends: Ends | None) -> Check:
    """A check that reports its interval, too; it decides by its value as before."""
    if ends is None or check.value is None:
        return check
    return check.model_copy(update={"interval": ends})
