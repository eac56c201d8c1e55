"""Feature declarations: the transforms between raw inputs and the estimator, all part of the served graph."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.frozen import Frozen, Name

#: The ways a missing number can be filled in.
Imputation = Literal["median", "mean", "knn", "iterative"]


class Ratio(Frozen):
    """A new feature: one column divided by another; missing where the denominator is missing or zero."""

    name: Name
    numerator: Name
    denominator: Name


class Rotation(Frozen):
    """New features: where a point lies along axes that are turned by some angles.

    Trees cut along axes only; a coast or a road that runs aslant takes them one cut on a turned axis.
    """

    name: Name
    columns: tuple[Name, Name]
    """The point's coordinates, first and second axis."""
    degrees: tuple[float, ...] = Field(min_length=1)
    """One feature for each angle: first * cos + second * sin."""


class Clusters(Frozen):
    """New features: the distance to the centre of each of k clusters (k-means) of some columns."""

    name: Name
    columns: tuple[Name, ...] = Field(min_length=1)
    k: int | tuple[int, int] = (5, 15)
    """How many clusters; of two ends, both included, the number with the best silhouette is chosen."""

    @model_validator(mode="after")
    def _has_clusters(self) -> Self:
        low, high = self.k if isinstance(self.k, tuple) else (self.k, self.k)
        if not 2 <= low <= high <= 100:
            raise ValueError(f"clusters {self.name!r}: `k` must be 2 to 100, or two rising ends within")
        return self


class Features(Frozen):
    """How raw inputs become what the estimator sees."""

    impute: Imputation | Literal["auto"] = "median"
    """What stands in for a missing number; learned from the training rows. `auto` hides known values, fills
    them in all four ways, and takes the way with the smallest error."""
    scale: bool = True
    """Whether numbers are centred and divided by their standard deviation, for families that need it."""
    unseen_category: Literal["most_frequent", "ignore", "reject"] = "reject"
    """What the endpoint does with a category it was not trained on: take it for the most frequent one, leave it
    out, or refuse the request."""
    ratios: tuple[Ratio, ...] = Field(default=())
    rotations: tuple[Rotation, ...] = Field(default=())
    clusters: tuple[Clusters, ...] = Field(default=())
