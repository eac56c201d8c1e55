"""Is the candidate better than the champion, beyond doubt?"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sluice.adapters.metrics import METRICS
from sluice.domain.evidence import Check, Verdict
from sluice.domain.policy import HIGHER_IS_BETTER, Change

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Score = Callable[[Vector, Vector], float]


def improvement(score: Score, higher_is_better: bool, actual: Vector, candidate: Vector, champion: Vector) -> float:
    """How much better the candidate scores than the champion, relative to the champion; above 0 is better."""
    theirs = score(actual, champion)
    ours = score(actual, candidate)
    if theirs == 0 or not (math.isfinite(theirs) and math.isfinite(ours)):
        return math.nan
    gain = ours - theirs if higher_is_better else theirs - ours
    return gain / abs(theirs)


def change(policy: Change, actual: Vector, candidate: Vector, champion: Vector, seed: int) -> Check:
    """Compare two models on the same held-out rows by a paired bootstrap.

    Each resample draws the same rows for both models, so that what is hard about the rows cancels out.
    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).

    Args:
        policy: The metric, the least improvement, the confidence and the number of resamples.
        actual: Shape (rows,), what was observed, in the target's unit.
        candidate: Shape (rows,), what the candidate predicts.
        champion: Shape (rows,), what the champion predicts.
        seed: Of the resampling; the same evidence gives the same interval.
    """
    code = f"change.{policy.metric}"
    score = METRICS[policy.metric]
    higher = policy.metric in HIGHER_IS_BETTER
    point = improvement(score, higher, actual, candidate, champion)
    generator = np.random.default_rng(seed)
    draws = np.empty(policy.resamples)
    for index in range(policy.resamples):
        rows = generator.integers(0, len(actual), len(actual))
        draws[index] = improvement(score, higher, actual[rows], candidate[rows], champion[rows])
    tail = (1 - policy.confidence) / 2
    low, high = (float(q) for q in np.quantile(draws, [tail, 1 - tail]))
    limit = f"> {policy.min_improvement:+.2%}"
    if not all(math.isfinite(n) for n in (point, low, high)):
        message = f"the change of {policy.metric} against the champion cannot be computed"
        return Check(code=code, verdict="unknown", message=message, limit=limit)
    better = low > policy.min_improvement
    message = (
        f"{policy.metric} changes by {point:+.2%} against the champion, {policy.confidence:.0%} interval "
        f"{low:+.2%} to {high:+.2%}, {'all above' if better else 'not all above'} {policy.min_improvement:+.2%}"
    )
    verdict: Verdict = "pass" if better else "fail"
    return Check(code=code, verdict=verdict, message=message, value=point, limit=limit, interval=(low, high))
