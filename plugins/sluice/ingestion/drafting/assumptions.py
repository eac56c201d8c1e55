"""Assumptions: what a profile is taken to mean, each with its reason in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sluice.domain.columns import Column
from sluice.domain.errors import DataError
from sluice.domain.measures import Task
from sluice.ingestion.drafting import design as designs
from sluice.ingestion.drafting import leaks, parts
from sluice.ingestion.drafting.baseline import Problem
from sluice.ingestion.drafting.choices import Choice, decide, left_out, target_column
from sluice.ingestion.drafting.design import Design, Floats
from sluice.ingestion.drafting.objective import Objective, choose, learns_logarithm
from sluice.ingestion.drafting.parts import Parts
from sluice.ingestion.drafting.profile import Profile

#: Largest share of the rows that may be unusable.
MOST_BAD = 0.5


@dataclass(frozen=True, eq=False)
class Assumptions:
    """All that is assumed about a file.

    Attributes:
        name: Of the use case.
        profile: Of the file.
        objective: What is predicted.
        choices: One for each named field but the target.
        target: As the spec declares it.
        usable: By row, whether ingestion will accept it.
        inputs: The usable rows' inputs.
        observed: The usable rows' target.
        parts: How the usable rows will be divided.
        leaking: The columns that give the target away, and how well they alone predict it.
    """

    name: str
    profile: Profile
    objective: Objective
    choices: tuple[Choice, ...]
    target: Column
    usable: NDArray[np.bool_] = field(repr=False)
    inputs: Design
    observed: Floats = field(repr=False)
    parts: Parts
    leaking: dict[str, float]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The declared columns, the target last."""
        return (*(c.column for c in self.choices if c.column is not None), self.target)

    @property
    def features(self) -> tuple[Choice, ...]:
        """The choices that feed the model."""
        return tuple(c for c in self.choices if c.feeds)

    @property
    def rows(self) -> int:
        """How many rows are usable."""
        return len(self.observed)

    @property
    def bad_share(self) -> float:
        """Share of the file's rows that will go to quarantine."""
        contents = self.profile.contents
        return 1 - float(self.usable.mean()) * contents.rows / (contents.rows + contents.ragged)

    @property
    def problem(self) -> Problem:
        """What a plain model needs to know of the objective."""
        return Problem(self.objective.task, len(self.objective.classes), self.objective.log)


def assume(
    name: str, profile: Profile, target: str, task: Task | None = None, positive: str | None = None
) -> Assumptions:
    """Decide what each column is, what is predicted and how rows are divided.

    Args:
        name: Of the use case; the division depends on it.
        profile: Of the file.
        target: Header of the column to predict.
        task: What a person says it is.
        positive: The class that a person looks for.

    Raises:
        SpecError: The target does not exist, or does not fit the task.
        DataError: There is too little to learn from.
    """
    where = str(profile.contents.path)
    if profile.contents.rows < parts.FEWEST_ROWS:
        raise parts.too_few(profile.contents.rows, where)
    objective = choose(profile, target, task, positive)
    others = tuple(f for f in profile.fields if f is not objective.field)
    first = [decide(each) for each in others]
    usable = _usable(objective, first)
    _refuse_too_bad(usable, objective, where)
    leaking = _leaking(first, objective, usable)
    choices = tuple(_without(c, leaking[c.field.name], objective) if c.field.name in leaking else c for c in first)
    features = [c for c in choices if c.feeds]
    if not features:
        raise DataError(
            "no column is left to learn from: " + "; ".join(f"{c.field.header}: {c.why}" for c in choices),
            where,
            "give columns that are known before the target is",
        )
    if objective.classes:
        # Only now is it known which rows are different, and so how many of them a class has.
        identity = np.where(usable, _design(features, np.ones_like(usable)).groups, -1)
        objective = _choose_again(profile, target, task, positive, identity, leaking)
        usable = _usable(objective, first)
    observed = objective.observed[usable]
    inputs = _design(features, usable)
    shares = parts.identities(name, [c.values[usable] for c in features], [c.field.kind == "integer" for c in features])
    divided = parts.divide(shares, observed if objective.classes else None, where)
    objective = replace(objective, log=not objective.classes and learns_logarithm(observed, divided.train))
    return Assumptions(
        name, profile, objective, choices, target_column(objective), usable, inputs, observed, divided, leaking
    )


def _choose_again(
    profile: Profile,
    target: str,
    task: Task | None,
    positive: str | None,
    identity: NDArray[np.int64],
    leaking: dict[str, float],
) -> Objective:
    try:
        return choose(profile, target, task, positive, identity)
    except DataError as error:
        if not leaking:
            raise
        reason = f"left out as a leak, because it alone tells the target: {', '.join(leaking)}"
        raise DataError(f"{error.what} ({reason})", error.where, error.action) from error


def _usable(objective: Objective, choices: list[Choice]) -> NDArray[np.bool_]:
    usable = ~np.isnan(objective.observed)
    for choice in choices:
        if choice.column is not None and choice.field.unreadable:
            usable &= choice.field.readable
    return usable


def _refuse_too_bad(usable: NDArray[np.bool_], objective: Objective, where: str) -> None:
    if usable.mean() >= 1 - MOST_BAD:
        return
    missing = objective.field.missing_share
    raise DataError(
        f"{1 - usable.mean():.0%} of the rows cannot be used; {missing:.0%} have no {objective.field.header!r}",
        where,
        "leave out the rows without a target, or name another TARGET",
    )


def _without(choice: Choice, how_well: float, objective: Objective) -> Choice:
    metric = "ROC AUC" if objective.classes else "r2"
    return left_out(choice.field, f"it alone tells the target ({metric} {how_well:.4f}): a leak")


def _leaking(choices: list[Choice], objective: Objective, usable: NDArray[np.bool_]) -> dict[str, float]:
    features = [c for c in choices if c.feeds]
    if not features or usable.sum() < parts.FEWEST_TRAIN_ROWS:
        return {}
    problem = Problem(objective.task, len(objective.classes))
    return leaks.find(_design(features, usable), objective.observed[usable], problem)


def _design(features: list[Choice], usable: NDArray[np.bool_]) -> Design:
    return designs.of(
        {c.field.name: c.categories for c in features}, {c.field.name: c.values[usable] for c in features}
    )
