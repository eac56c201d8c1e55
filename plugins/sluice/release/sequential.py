"""Sequential tests: what two streams of requests say of each other, true at every look and however often one looks.

Both rest on Ville's inequality: a nonnegative supermartingale that begins at 1 ever exceeds 1 / alpha with a chance of
alpha at most. So a canary can be watched all the time and ended at any moment.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

#: How many times as often an event may happen to the challenger, for all of which the test looks out at once.
RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0)


@dataclass(frozen=True)
class Tally:
    """How often something bad happened to either version, while the challenger had one share of the requests.

    Attributes:
        share: Chance that such an event is the challenger's, if it happens to both alike.
        challenger: Events of the challenger.
        champion: Events of the champion.
    """

    share: float
    challenger: int
    champion: int


@dataclass(frozen=True)
class Sample:
    """Values between 0 and 1.

    Attributes:
        size: How many.
        total: Their sum.
    """

    size: int
    total: float

    @property
    def mean(self) -> float:
        """NaN where there are none."""
        return self.total / self.size if self.size else math.nan


def suspicion(tallies: Iterable[Tally]) -> float:
    """The logarithm of the evidence that something happens to the challenger more often.

    A mixture of likelihood ratios, each event conditional on that it happened: to the challenger's share of the
    requests, or to the champion's. Where it happens to the challenger no more often, it exceeds log(1 / alpha) with
    a chance of at most alpha (Robbins, "Statistical methods related to the law of the iterated logarithm", 1970;
    Ramdas et al., "Game-theoretic statistics and safe anytime-valid inference", 2023). How often it happens at all,
    and whether that changes by the hour, does not matter.

    Args:
        tallies: One for each share that the challenger had.
    """
    known = tuple(tallies)
    logs = [sum(_log_ratio(tally, ratio) for tally in known) for ratio in RATIOS]
    highest = max(logs)
    return highest + math.log(sum(math.exp(log - highest) for log in logs) / len(logs))


def _log_ratio(tally: Tally, ratio: float) -> float:
    events = tally.challenger + tally.champion
    return tally.challenger * math.log(ratio) - events * math.log1p(tally.share * (ratio - 1))


def distance(first: Sample, second: Sample, alpha: float, tuned: int) -> float:
    """How far apart the means behind two samples are at least, at every moment, but for a chance of alpha.

    Args:
        first: What was seen of one stream so far.
        second: Of the other.
        alpha: Chance that the answer is ever too high.
        tuned: Size of the smaller sample at which the answer shall be sharpest.

    Returns:
        0 where they may be the same.
    """
    if not first.size or not second.size:
        return 0.0
    doubt = radius(first.size, alpha / 2, tuned) + radius(second.size, alpha / 2, tuned)
    return max(0.0, abs(first.mean - second.mean) - doubt)


def radius(size: int, alpha: float, tuned: int) -> float:
    """Half the width of a confidence sequence for the mean of values between 0 and 1.

    The normal mixture of Robbins, two-sided (Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric,
    nonasymptotic confidence sequences", 2021, equation 14), with the variance of 1/4 that no such value exceeds.

    Args:
        size: Values so far, at least one.
        alpha: Chance that the mean ever lies outside.
        tuned: Number of values at which it shall be narrowest.
    """
    variance = size / 4
    surprise = 2 * math.log(1 / alpha)
    prior = tuned / 4 / (surprise + math.log1p(surprise))
    return math.sqrt((variance + prior) * (math.log((variance + prior) / prior) + surprise)) / size
