"""Assumptions: what a profile is taken to mean, each with its reason in plain words."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sluice.domain.columns import Column
from sluice.domain.errors import DataError
from sluice.domain.measures import Task
from sluice.ingestion.drafting import design as designs
from sluice.ingestion.drafting import leaks, parts
from sluice.ingestion.drafting.baseline import Problem
from sluice.ingestion.drafting.design import Design, Floats
from sluice.ingestion.drafting.objective import Objective, choose, learns_logarithm
from sluice.ingestion.drafting.parts import Parts
from sluice.ingestion.drafting.profile import Field, Profile

#: A header that names a thing rather than describes it.
NAMES_A_THING = re.compile(r"(?:^|_)(?:id|ids|uuid|guid|key|index|idx|nr|rownum|row_number|record)$", re.IGNORECASE)

#: Share of rows without a value from which a column is of no use.
MOST_MISSING = 0.95

#: Integers with at most so many values may hold those and no others.
FEW_INTEGERS = 10

#: Largest share of the rows that may be unusable.
MOST_BAD = 0.5


@dataclass(frozen=True, eq=False)
class Choice:
    """What becomes of one field.

    Attributes:
        field: The field.
        column: As the spec declares it; None where it is left out.
        why: The reason, in plain words.
    """

    field: Field
    column: Column | None
    why: str

    @property
    def feeds(self) -> bool:
        """Whether it feeds the model."""
        return self.column is not None and self.column.role == "feature"

    @property
    def categories(self) -> tuple[str, ...]:
        """What it may hold, those of a boolean included; none for a number."""
        if self.field.kind == "boolean":
            return ("false", "true")
        return (self.column.categories or ()) if self.column else ()

    @property
    def values(self) -> NDArray[Any]:
        """By row doubles with NaN, or texts with None: a boolean's too."""
        if self.field.kind != "boolean":
            return self.field.values
        texts = [None if v != v else ("true" if v else "false") for v in self.field.values.tolist()]
        return np.array(texts, dtype=object)


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
    first = [_choice(each) for each in others]
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
        name, profile, objective, choices, _target(objective), usable, inputs, observed, divided, leaking
    )


def bounds(values: Floats, whole: bool) -> tuple[float, float]:
    """A range that holds the values and as much again to either side, rounded; no sign that is not there."""
    low, high = float(values.min()), float(values.max())
    if whole and len(np.unique(values)) <= FEW_INTEGERS:
        return low, high
    span = (high - low) or abs(high) or 1.0
    step = 10 ** math.floor(math.log10(span / 2))
    lower, upper = math.floor((low - span / 2) / step) * step, math.ceil((high + span / 2) / step) * step
    lower = max(lower, 0.0) if low >= 0 else lower
    upper = min(upper, 0.0) if high <= 0 else upper
    return round(lower, 12), round(upper, 12)


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
        left_out = f"left out as a leak, because it alone tells the target: {', '.join(leaking)}"
        raise DataError(f"{error.what} ({left_out})", error.where, error.action) from error


def _choice(each: Field) -> Choice:
    reason = _reason_to_ignore(each)
    if reason:
        return _ignored(each, *reason)
    nullable = each.missing > 0
    common: dict[str, Any] = {"name": each.name, "header": _header(each), "type": each.kind, "nullable": nullable}
    if each.kind == "category":
        return Choice(each, Column(**common, categories=tuple(sorted(each.counts))), f"{each.distinct} categories")
    if each.kind == "boolean":
        return Choice(each, Column(**common), f"yes or no, written as {', '.join(list(each.counts)[:6])}")
    limits = bounds(each.known, each.kind == "integer")
    low, high = each.known.min(), each.known.max()
    column = Column(**common, thousands=each.thousands, range=limits)
    return Choice(each, column, f"{'whole numbers' if each.kind == 'integer' else 'numbers'} from {low:g} to {high:g}")


def _reason_to_ignore(each: Field) -> tuple[str, Literal["ignore", "id"]] | None:
    if each.kind == "empty":
        return "it has no values", "ignore"
    if each.broken:
        return "texts over several lines: ingestion reads no column with line ends in it", "ignore"
    if each.kind == "text":
        return _text(each), "ignore"
    if each.kind == "timestamp":
        return _date(each), "ignore"
    if _names_rows(each):
        return "its values name rows and say nothing about them", "id"
    if each.distinct == 1:
        return f"it is always {next(iter(each.counts))[:40]!r}", "ignore"
    if each.missing_share > MOST_MISSING:
        return f"{each.missing_share:.0%} of its values are missing", "ignore"
    return None


def _names_rows(each: Field) -> bool:
    if each.kind != "integer":
        return False
    values = each.known
    if NAMES_A_THING.search(each.name) and each.distinct > max(20, 0.5 * len(values)):
        return True
    counted = len(values) == each.rows > 2 and bool(np.all(np.abs(np.diff(values)) == 1))
    return counted and len(np.unique(values)) == len(values)


def _date(each: Field) -> str:
    written = f" (written as {each.format})" if each.format else ""
    return f"a date{written} cannot feed the model; make what matters of it, such as a month or an age, a column"


def _text(each: Field) -> str:
    unit = re.fullmatch(r"(?:[$€£¥]\s*)?[+-]?[\d.,' ]*\d\s*(?:%|[$€£¥]|[a-zA-Z]{1,4})", each.example)
    money = re.fullmatch(r"[$€£¥]\s*[+-]?[\d.,' ]*\d", each.example)
    if unit or money:
        return f"its numbers are written with a unit, such as {each.example!r}; take the unit out to use it"
    if each.distinct > 0.9 * (each.rows - each.missing):
        return f"nearly every row has another text ({each.distinct:,} of them): names or free text"
    return f"{each.distinct:,} different texts are too many for categories"


def _ignored(each: Field, why: str, role: Literal["ignore", "id"]) -> Choice:
    """A column that is kept in the warehouse where that is worth it; there is no type for texts."""
    if each.kind not in ("integer", "number", "boolean") or each.unreadable:
        return Choice(each, None, why)
    common: dict[str, Any] = {"name": each.name, "header": _header(each), "type": each.kind}
    column = Column(**common, role=role, nullable=True, thousands=each.thousands)
    return Choice(each, column, why)


def _without(choice: Choice, how_well: float, objective: Objective) -> Choice:
    metric = "ROC AUC" if objective.classes else "r2"
    return _ignored(choice.field, f"it alone tells the target ({metric} {how_well:.4f}): a leak", "ignore")


def _header(each: Field) -> str | None:
    return None if each.header == each.name else each.header


def _target(objective: Objective) -> Column:
    each = objective.field
    common: dict[str, Any] = {"name": each.name, "header": _header(each)}
    if not objective.classes:
        common["type"] = each.kind
        return Column(**common, thousands=each.thousands, range=bounds(each.known, each.kind == "integer"))
    if objective.boolean:
        return Column(**common, type="boolean")
    return Column(**common, type="category", categories=tuple(objective.classes))


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
