"""Feature declarations: the transforms between raw inputs and the estimator, all part of the served graph."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.domain.frozen import Frozen, Name


class Ratio(Frozen):
    """A new feature: one column divided by another; missing where the denominator is missing or zero."""

    name: Name
    numerator: Name
    denominator: Name


class Features(Frozen):
    """How raw inputs become what the estimator sees."""

    impute: Literal["median", "mean"] = "median"
    """What stands in for a missing number; learned from the training rows."""
    scale: bool = True
    """Whether numbers are centred and divided by their standard deviation."""
    unseen_category: Literal["ignore", "reject"] = "reject"
    """What the endpoint does with a category it was not trained on: answer with it left out, or refuse."""
    ratios: tuple[Ratio, ...] = Field(default=())
