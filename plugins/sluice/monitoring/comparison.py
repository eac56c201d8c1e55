"""Comparison: how far each column has moved from what the release learned from, of all rows."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.domain.histograms import Categories, Histograms, Numbers, missing_share
from sluice.domain.monitoring import Monitoring
from sluice.monitoring.distances import chance, jensen_shannon, wasserstein

WASSERSTEIN = "Wasserstein distance"
JENSEN_SHANNON = "Jensen-Shannon distance"
#: Where a column has no value on one side, there is nothing else to compare.
MISSING = "change of the missing share"


@dataclass(frozen=True)
class Sampled:
    """What a bounded sample said of a column, by the test of the page.

    Attributes:
        method: The distance that was used.
        score: What it gave; None where it could not be taken.
        threshold: The score from which the column counts as drifted.
        drifted: Whether it does; None is "could not tell".
    """

    method: str
    score: float | None
    threshold: float | None
    drifted: bool | None


@dataclass(frozen=True)
class ColumnDrift:
    """How far one column has moved.

    Attributes:
        column: Its name.
        method: The distance that was used.
        score: What it gave, of all rows; None where it could not be taken.
        threshold: The score from which the column counts as drifted.
        drifted: Whether it does; None is "could not tell".
        sampled: What the sample said of it; None where it was not among the sampled columns.
    """

    column: str
    method: str
    score: float | None
    threshold: float | None
    drifted: bool | None
    sampled: Sampled | None = None

    @property
    def disputed(self) -> bool:
        """Whether the sample's verdict is the contrary."""
        verdicts = (self.drifted, self.sampled.drifted) if self.sampled else (None,)
        return None not in verdicts and len(set(verdicts)) > 1


def compare(reference: Histograms, current: Histograms, policy: Monitoring) -> tuple[ColumnDrift, ...]:
    """Compare every column that the current rows have.

    A column that is as far off as its threshold, yet no farther than chance brings it with so few rows, may have
    drifted or not: nobody can tell.

    Args:
        reference: The release's.
        current: In the same bins, by the same labels.
        policy: The thresholds.
    """
    return tuple(_compare(reference.column(column.name), column, policy) for column in current.columns)


def _compare(reference: Numbers | Categories, current: Numbers | Categories, policy: Monitoring) -> ColumnDrift:
    if not reference.values or not current.values:
        return _emptied(reference, current, policy.quality.max_missing_rise)
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        method, threshold, score = WASSERSTEIN, policy.drift.numerical, wasserstein(reference, current)
    elif isinstance(reference, Categories) and isinstance(current, Categories):
        method, threshold, score = JENSEN_SHANNON, policy.drift.categorical, jensen_shannon(reference, current)
    else:
        raise TypeError(f"{current.name} is {current.kind}, and {reference.kind} in the release")
    drifted = score >= threshold
    doubtful = drifted and score < chance(reference, current)
    return ColumnDrift(current.name, method, score, threshold, None if doubtful else drifted)


def _emptied(reference: Numbers | Categories, current: Numbers | Categories, most: float) -> ColumnDrift:
    """A column without a value on one side at least: it has drifted where its values went, or came.

    Where hardly any were there before, nobody can tell whether those that there could have been are like them.
    """
    before, now = missing_share(reference), missing_share(current)
    if before is None or now is None:
        return ColumnDrift(current.name, MISSING, None, most, None)
    moved = abs(now - before)
    alike = not reference.values and not current.values
    return ColumnDrift(current.name, MISSING, moved, most, moved >= most or (False if alike else None))
