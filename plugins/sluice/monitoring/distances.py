"""Distances: how far apart two histograms of the same column are."""

from __future__ import annotations

import math
from itertools import pairwise

from sluice.domain.histograms import Categories, Numbers

#: Of the normal distribution: what lies beyond is one of a hundred, on either side together and on one alone.
_TWO_SIDED, _ONE_SIDED = 2.576, 2.326


def wasserstein(reference: Numbers, current: Numbers) -> float:
    """The Wasserstein distance between two sets of numbers, in standard deviations of the reference.

    It is the area between the two distribution functions. In a bin where one of them is above the other throughout,
    counts and sums give it exactly, however wide the bin is and however the values lie in it; where they cross, it is
    off by less than the reference's share of values in the bin times twice its width. What lies beyond the outer edges
    is a bin like the others, down to the smallest value of either side and up to the largest.
    Source: Vallender, "Calculation of the Wasserstein Distance Between Probability Distributions on the Line",
    Theory of Probability and its Applications 1974.

    Args:
        reference: With values.
        current: With values, in the same bins.
    """
    knots = _knots(reference, current)
    area = below = apart = 0.0
    totals = reference.values, current.values
    for place, (low, high) in enumerate(pairwise(knots)):
        ours, theirs = (h.counts[place] / n for h, n in zip((reference, current), totals, strict=True))
        sums = reference.sums[place] / totals[0] - current.sums[place] / totals[1]
        # Of the difference between the two functions: at the lower edge, over the bin, and at the upper edge.
        below, apart = apart, apart + ours - theirs
        over = below * (high - low) + (ours - theirs) * high - sums
        area += max(abs(over), _crossing(below, apart, high - low))
    return area / _unit(reference)


def jensen_shannon(reference: Categories, current: Categories) -> float:
    """The Jensen-Shannon distance between two sets of categories: 0 where they are alike, 0.83 where they share none.

    Labels that the reference does not have count as one: the distance is the same as if each stood alone.
    Source: Endres, Schindelin, "A New Metric for Probability Distributions", IEEE Transactions on Information
    Theory 2003; with natural logarithms.

    Args:
        reference: With values.
        current: With values, by the same labels.
    """
    divergence = 0.0
    for ours, theirs in zip((*reference.counts, reference.other), (*current.counts, current.other), strict=True):
        p, q = ours / reference.values, theirs / current.values
        middle = (p + q) / 2
        divergence += sum(share * math.log(share / middle) for share in (p, q) if share) / 2
    return math.sqrt(max(0.0, divergence))


def chance(reference: Numbers | Categories, current: Numbers | Categories) -> float:
    """The distance that two sets of values as many as these are apart in one of a hundred cases by chance alone.

    Numbers: as far as their means are apart. Categories: the divergence is chi-squared, with a degree of freedom less
    than there are labels, over eight times the number of values; its quantile is Wilson's and Hilferty's.
    Source: Menéndez, Pardo, Pardo, Pardo, "The Jensen-Shannon Divergence", Journal of the Franklin Institute 1997;
    Wilson, Hilferty, "The Distribution of Chi-Square", PNAS 1931.
    """
    alike = 1 / reference.values + 1 / current.values
    if isinstance(reference, Numbers):
        return _TWO_SIDED * math.sqrt(alike)
    free = max(1, len(reference.labels) - 1)
    spread = 2 / (9 * free)
    quantile = free * (1 - spread + _ONE_SIDED * math.sqrt(spread)) ** 3
    return math.sqrt(quantile * alike / 8)


def _knots(reference: Numbers, current: Numbers) -> list[float]:
    """The edges with the smallest and the largest value of both around them, less the centre."""
    found = [value for h in (reference, current) for value in (h.minimum, h.maximum) if value is not None]
    knots = [min(*found, reference.edges[0]), *reference.edges, max(*found, reference.edges[-1])]
    return [knot - reference.centre for knot in knots]


def _crossing(below: float, above: float, width: float) -> float:
    """The area between two functions that cross in a bin, had they no steps in it; 0 where they need not cross."""
    if below * above >= 0:
        return 0.0
    return width * (below**2 + above**2) / (2 * (abs(below) + abs(above)))


def _unit(reference: Numbers) -> float:
    """One standard deviation; of a column that was constant a thousandth, or its value where that is less."""
    return reference.std or min(0.001, abs(reference.mean or 0.0)) or 0.001
