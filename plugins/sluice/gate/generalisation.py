"""Generalisation: whether held-out rows are like those to train on, and whether the model does as well on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.adapters.intervals import beside, draws, percentile
from sluice.domain.columns import Column
from sluice.domain.evidence import Check, bounded
from sluice.domain.figures import plain
from sluice.domain.measures import TITLES
from sluice.domain.use_case import UseCase
from sluice.gate.answers import Answered
from sluice.gate.strength import metric_of, strength

if TYPE_CHECKING:
    import pandas as pd

#: How often chance alone may call one input or another shifted.
FALSE_ALARM = 0.01


@dataclass(frozen=True)
class Distance:
    """How far apart an input's values lie in two samples.

    Attributes:
        column: Which input.
        value: 0 where they are distributed alike, 1 where they have nothing in common.
        chance: Probability of a distance as large between two samples of one distribution.
    """

    column: str
    value: float
    chance: float


def judge(use_case: UseCase, train: Answered, test: Answered) -> tuple[Check, ...]:
    """Judge how what was learned carries over.

    Args:
        use_case: Its policy.
        train: Rows to train on, with what the candidate says of them.
        test: Held-out rows, with what the candidate says of them.

    Returns:
        Checks `gap.<metric>` and `shift`.
    """
    return _gap(use_case, train, test), _shift(use_case, train.rows, test.rows)


def _gap(use_case: UseCase, train: Answered, test: Answered) -> Check:
    metric = metric_of(use_case)
    learned, kept = (strength(use_case, part.actual, part.scores) for part in (train, test))
    what = f"the loss of {TITLES[metric]} from {plain(learned)} on rows to train on to {plain(kept)} on held-out rows"
    check = bounded(f"gap.{metric}", learned - kept, what, maximum=use_case.gate.generalisation.max_gap)
    seed = use_case.training.seed
    before, after = (
        draws([metric], part.actual, part.scores, seed + offset)[metric] for offset, part in enumerate((train, test))
    )
    return beside(check, percentile(before - after))


def _shift(use_case: UseCase, train: pd.DataFrame, test: pd.DataFrame) -> Check:
    """One check for all inputs, which names the one that is farthest apart."""
    most, count = use_case.gate.generalisation.max_shift, len(use_case.inputs)
    found = [distance(column, train[column.name], test[column.name]) for column in use_case.inputs]
    found.sort(key=lambda each: each.value, reverse=True)
    shifted = [d for d in found if d.value > most and d.chance < FALSE_ALARM / count]
    worst, limit = (shifted or found)[0], f"<= {plain(most, None)}"
    said = f"the input that differs most between rows to train on and held-out rows is {worst.column!r}, by {{}} of 1"
    message = said.format(plain(worst.value))
    if shifted:
        more = f", and {plain(len(shifted) - 1)} more inputs differ too" if shifted[1:] else ""
        message += f"; at most {plain(most, None)} is allowed, and chance does not explain it{more}"
        return Check(code="shift", verdict="fail", message=message, value=worst.value, limit=limit)
    if worst.value > most:
        message += f", more than {plain(most, None)}, but so few rows differ as much by chance"
    return Check(code="shift", verdict="pass", message=message, value=worst.value, limit=limit)


def distance(column: Column, first: pd.Series[Any], second: pd.Series[Any]) -> Distance:
    """How far apart a column's values lie in two samples; a missing value is one of its own, below all others.

    Of numbers it is the Kolmogorov-Smirnov statistic, of categories and booleans the total variation distance; how
    likely chance alone makes it so large is told by the Kolmogorov-Smirnov test and by the chi-squared test.

    Args:
        column: Its type tells which.
        first: One sample.
        second: The other.
    """
    if column.type in ("number", "integer"):
        # Local: scipy takes a second to import.
        from scipy import stats

        one, other = (s.to_numpy(dtype=np.float64, na_value=np.nan) for s in (first, second))
        tested = stats.ks_2samp(*(np.where(np.isnan(v), -np.inf, v) for v in (one, other)), method="asymp")
        return Distance(column.name, float(tested.statistic), float(tested.pvalue))
    counts = _counts(first, second)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return Distance(column.name, float(np.abs(shares[0] - shares[1]).sum() / 2), _chance(counts))


def _counts(first: pd.Series[Any], second: pd.Series[Any]) -> Any:
    """How often each value is seen in either sample, shape (2, values)."""
    import pandas as pd

    positions, values = pd.factorize(pd.concat([first, second]), use_na_sentinel=False)
    parts = positions[: len(first)], positions[len(first) :]
    return np.array([np.bincount(part, minlength=len(values)) for part in parts], dtype=np.float64)


def _chance(counts: Any) -> float:
    from scipy import stats

    return float(stats.chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0
