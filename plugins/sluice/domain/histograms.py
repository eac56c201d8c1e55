"""Histograms: how the values of each column lie, in so few numbers that any count of rows can be compared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.domain.frozen import Frozen


class Numbers(Frozen):
    """How the values of a number lie.

    There is one bin more than there are edges: the first holds what is below the first edge, each other one what is
    at its lower edge or above and below the next. Frozen in a release, the first and the last are empty: they are
    for what comes later.
    """

    kind: Literal["numbers"] = "numbers"
    name: str
    edges: tuple[float, ...]
    """Rising; none where there was no value."""
    counts: tuple[int, ...]
    """Values in each bin."""
    sums: tuple[float, ...]
    """Of the values in each bin, less `centre`: with them the area under the distribution is exact in every bin."""
    centre: float
    """Taken from each value before it is summed, so that large values far from zero lose no digits."""
    discrete: bool
    """Whether the training rows had few different values, so that counting each costs less than finding its bin."""
    missing: int
    mean: float | None
    """This and the following are of the values; None where there is none."""
    std: float | None
    minimum: float | None
    maximum: float | None

    @property
    def values(self) -> int:
        """How many values there are."""
        return sum(self.counts)


class Categories(Frozen):
    """How often each value of a category, a boolean or a class occurs."""

    kind: Literal["categories"] = "categories"
    name: str
    labels: tuple[str, ...]
    """Those of the training rows, sorted; a boolean's are `false` and `true`."""
    counts: tuple[int, ...]
    """Of each label."""
    other: int
    """Values that are none of the labels."""
    missing: int

    @property
    def values(self) -> int:
        """How many values there are."""
        return sum(self.counts) + self.other


Histogram = Annotated[Numbers | Categories, Field(discriminator="kind")]


class Histograms(Frozen):
    """The histograms of a set of rows, as `histograms.json` in a bundle holds those of all training rows."""

    rows: int
    columns: tuple[Histogram, ...]
    """The inputs, and the target and the `prediction` where they are known."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Numbers | Categories:
        """The histogram of that column."""
        return next(column for column in self.columns if column.name == name)


def missing_share(histogram: Numbers | Categories) -> float | None:
    """Share of rows without a value, 0 to 1; None where there is no row."""
    rows = histogram.values + histogram.missing
    return histogram.missing / rows if rows else None
