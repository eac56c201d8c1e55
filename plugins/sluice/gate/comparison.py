"""Is the candidate better than the champion, beyond doubt?"""

from __future__ import annotations

import math

import numpy as np

from sluice.adapters.metrics import METRICS, Scores, Vector
from sluice.domain.evidence import Check, Verdict
from sluice.domain.figures import plain
from sluice.domain.measures import HIGHER_IS_BETTER, TITLES, Metric
from sluice.domain.policy import Change
from sluice.gate.resamples import Resampled, Weights, resampled

#: Cells of the matrix of draws that are held at once; bounds the memory, not the answer.
_CELLS = 2_000_000


def change(policy: Change, metric: Metric, actual: Vector, candidate: Scores, champion: Scores, seed: int) -> Check:
    """Compare two models on the same held-out rows by a paired bootstrap.

    Each resample draws the same rows for both models, so that what is hard about the rows cancels out. A resample
    whose change cannot be computed, for example because it drew one class only, counts as the worst there could
    be at the lower end of the interval and as the best at the upper.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).

    Args:
        policy: The least improvement, the confidence and the number of resamples.
        metric: What is compared.
        actual: Shape (rows,), what was observed.
        candidate: What the candidate says of the rows.
        champion: What the champion says of the same rows.
        seed: Of the resampling; the same evidence gives the same interval.
    """
    code, name = f"change.{metric}", TITLES[metric]
    limit = f"> {policy.min_improvement:+.2%}"
    ours, theirs = (METRICS[metric](actual, scores) for scores in (candidate, champion))
    [point] = _improvements(metric, np.array([ours]), np.array([theirs]))
    if not math.isfinite(point):
        message = f"no improvement of {name} can be computed from {plain(theirs)} of the champion to {plain(ours)}"
        return Check(code=code, verdict="unknown", message=message, limit=limit)
    low, high = _interval(policy, metric, actual, candidate, champion, seed)
    if not (math.isfinite(low) and math.isfinite(high)):
        message = f"the improvement of {name} cannot be computed in too many resamples of the held-out rows"
        return Check(code=code, verdict="unknown", message=message, limit=limit)
    verdict: Verdict = "pass" if low > policy.min_improvement else "fail"
    message = (
        f"the improvement of {name} over the champion is {point:+.2%}, {policy.confidence:.0%} interval "
        f"{low:+.2%} to {high:+.2%}; all of it must be above {policy.min_improvement:+.2%}"
    )
    return Check(code=code, verdict=verdict, message=message, value=float(point), limit=limit, interval=(low, high))


def _improvements(metric: Metric, ours: Vector, theirs: Vector) -> Vector:
    """How much better the candidate scores, relative to the champion; NaN where that cannot be computed."""
    gains = ours - theirs if metric in HIGHER_IS_BETTER else theirs - ours
    answer: Vector = np.divide(gains, np.abs(theirs), out=np.full(len(gains), np.nan), where=theirs != 0)
    return answer


def _interval(
    policy: Change, metric: Metric, actual: Vector, candidate: Scores, champion: Scores, seed: int
) -> tuple[float, float]:
    ours, theirs = (resampled(metric, actual, scores) for scores in (candidate, champion))
    draws = _draws(metric, ours, theirs, len(actual), policy.resamples, np.random.default_rng(seed))
    told = np.isfinite(draws)
    tail = (1 - policy.confidence) / 2
    low = np.quantile(np.where(told, draws, -np.inf), tail, method="lower")
    high = np.quantile(np.where(told, draws, np.inf), 1 - tail, method="higher")
    return float(low), float(high)


def _draws(
    metric: Metric, ours: Resampled, theirs: Resampled, rows: int, count: int, generator: np.random.Generator
) -> Vector:
    """The improvement in each resample."""
    parts = []
    most = max(1, _CELLS // rows)
    for start in range(0, count, most):
        weights: Weights = np.array(
            [
                np.bincount(generator.integers(0, rows, rows), minlength=rows)
                for _ in range(start, min(start + most, count))
            ],
            dtype=np.float64,
        )
        parts.append(_improvements(metric, ours(weights), theirs(weights)))
    return np.concatenate(parts)
