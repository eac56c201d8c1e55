"""Is the candidate better than the champion, beyond doubt?"""

from __future__ import annotations

import math

import numpy as np

from sluice.adapters.intervals import percentile
from sluice.adapters.metrics import METRICS, Scores, Vector
from sluice.adapters.resamples import resampled, weights
from sluice.domain.evidence import Check, Verdict
from sluice.domain.figures import plain
from sluice.domain.measures import HIGHER_IS_BETTER, TITLES, Metric
from sluice.domain.policy import Change


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
    ends = percentile(_draws(policy, metric, actual, candidate, champion, seed), policy.confidence)
    if ends is None:
        message = f"the improvement of {name} cannot be computed in too many resamples of the held-out rows"
        return Check(code=code, verdict="unknown", message=message, limit=limit)
    low, high = ends
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


def _draws(policy: Change, metric: Metric, actual: Vector, candidate: Scores, champion: Scores, seed: int) -> Vector:
    """The improvement in each resample."""
    ours, theirs = (resampled(metric, actual, scores) for scores in (candidate, champion))
    blocks = weights(len(actual), policy.resamples, np.random.default_rng(seed))
    return np.concatenate([_improvements(metric, ours(drawn), theirs(drawn)) for drawn in blocks])
