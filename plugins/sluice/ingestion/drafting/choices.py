"""Choices: what becomes of each field of a file, with the reason in plain words."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sluice.domain.columns import Column
from sluice.ingestion.drafting.design import Floats
from sluice.ingestion.drafting.objective import Objective
from sluice.ingestion.drafting.profile import Field

#: A header that names a thing rather than describes it.
NAMES_A_THING = re.compile(r"(?:^|_)(?:id|ids|uuid|guid|key|index|idx|nr|rownum|row_number|record)$", re.IGNORECASE)

#: Share of rows without a value from which a column is of no use.
MOST_MISSING = 0.95

#: Integers with at most so many values may hold those and no others.
FEW_INTEGERS = 10


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


def decide(each: Field) -> Choice:
    """What becomes of a field that is not the target."""
    reason = _reason_to_ignore(each)
    if reason:
        return left_out(each, *reason)
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


def left_out(each: Field, why: str, role: Literal["ignore", "id"] = "ignore") -> Choice:
    """What feeds no model; its column is kept in the warehouse where there is a type for its values.

    Args:
        each: The field.
        why: The reason, in plain words.
        role: Of the column that is kept.
    """
    if each.kind not in ("integer", "number", "boolean") or each.unreadable:
        return Choice(each, None, why)
    common: dict[str, Any] = {"name": each.name, "header": _header(each), "type": each.kind}
    column = Column(**common, role=role, nullable=True, thousands=each.thousands)
    return Choice(each, column, why)


def target_column(objective: Objective) -> Column:
    """The target as the spec declares it."""
    each = objective.field
    common: dict[str, Any] = {"name": each.name, "header": _header(each)}
    if not objective.classes:
        common["type"] = each.kind
        return Column(**common, thousands=each.thousands, range=bounds(each.known, each.kind == "integer"))
    if objective.boolean:
        return Column(**common, type="boolean")
    return Column(**common, type="category", categories=tuple(objective.classes))


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


def _header(each: Field) -> str | None:
    return None if each.header == each.name else each.header


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
