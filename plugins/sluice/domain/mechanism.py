"""The mechanism: how a sample's target follows from its columns."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.frozen import Frozen, Name


class Effect(Frozen):
    """What a column adds to the target: by knots joined by straight lines, or by category."""

    column: Name
    """A column of the sample, hidden ones included, or `group`."""
    at: tuple[float, ...] | None = Field(default=None)
    """Rising values of the column; outside them the end's amount holds."""
    add: tuple[float, ...] | dict[str, float]
    """The amount at each knot, or of each category; a category left out adds nothing."""

    @model_validator(mode="after")
    def _knots_match(self) -> Self:
        if self.at is None:
            if not isinstance(self.add, dict):
                raise ValueError(f"effect of {self.column!r}: give knots in `at`, or `add` by category")
        elif isinstance(self.add, dict) or len(self.at) != len(self.add):
            raise ValueError(f"effect of {self.column!r}: `add` needs one number for each of `at`")
        elif any(b <= a for a, b in pairwise(self.at)):
            raise ValueError(f"effect of {self.column!r}: `at` does not rise")
        return self


class Interaction(Frozen):
    """Effects whose amounts are multiplied: one column matters more or less by another."""

    name: Name
    factors: tuple[Effect, ...] = Field(min_length=2)


class Mechanism(Frozen):
    """How the target follows from the columns."""

    column: Name
    scale: Literal["log", "identity"] = "identity"
    """`log`: effects and noise add up in the logarithm of the target."""
    base: float
    effects: tuple[Effect, ...] = Field(default=())
    interactions: tuple[Interaction, ...] = Field(default=())
    noise: float = Field(ge=0)
    """Standard deviation of what no column explains, on the scale's own terms."""
    within: tuple[float, float] | None = Field(default=None)
    decimals: int = Field(default=0, ge=0, le=12)


class Score(Frozen):
    """What speaks for one class: the sum of its base and its effects."""

    base: float = 0
    effects: tuple[Effect, ...] = Field(default=())
    interactions: tuple[Interaction, ...] = Field(default=())


class ClassMechanism(Frozen):
    """How a class follows from the columns: drawn in proportion to exp(score / temperature).

    A class that has no score of its own has the score 0, so that two classes need only one.
    """

    column: Name
    classes: dict[str, Score] = Field(min_length=2)
    """Every class that can be drawn, as the use case's target writes it."""
    temperature: float = Field(default=1, ge=0)
    """How much chance there is beside the columns; at 0 the highest score always wins."""
