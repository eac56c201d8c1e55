"""Columns: what one field of a use case's table may hold."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.frozen import Frozen, Name

ColumnType = Literal["number", "integer", "boolean", "category", "timestamp"]

#: What the prediction log does with a value: leaves it out, or writes a keyed hash in its place.
Sensitive = Literal["drop", "hash"]

#: The Postgres type that holds each column type.
SQL_TYPES: dict[ColumnType, str] = {
    "number": "double precision",
    "integer": "bigint",
    "boolean": "boolean",
    "category": "text",
    "timestamp": "timestamptz",
}


class Column(Frozen):
    """One column of the source, and what it may hold.

    A value outside these rules sends its row to quarantine on ingest and is refused by the endpoint.
    """

    name: Name
    """The name in the warehouse, the model's inputs and the endpoint."""
    header: str | None = None
    """The name in the source's header where it differs; surrounding spaces never matter."""
    type: ColumnType
    role: Literal["feature", "id", "ignore"] = "feature"
    """`feature` feeds the model; `id` identifies a row; `ignore` is kept in the warehouse only."""
    unit: str | None = None
    description: str = ""
    range: tuple[float, float] | None = Field(default=None)
    """Smallest and largest value allowed, both included; for `number` and `integer`."""
    categories: tuple[str, ...] | None = Field(default=None)
    """Every value a `category` column may take."""
    nullable: bool = False
    """Whether a missing value is allowed."""
    thousands: Literal[",", ".", " ", "'"] | None = None
    """What separates thousands in the source's numbers; a `.` here means that a comma stands for the point."""
    format: str | None = None
    """How the source writes a timestamp, as a `strptime` pattern; ISO 8601 where absent."""
    sensitive: Sensitive | None = None
    """What the prediction log keeps of the values that callers send: nothing (`drop`), or a keyed hash that is the
    same for the same value (`hash`); the values themselves where absent. The model sees them all the same."""

    @property
    def source_header(self) -> str:
        """The header this column is read from."""
        return self.header if self.header is not None else self.name

    def allows(self, value: float | int | bool | str | None) -> bool:
        """Whether the column may hold a value, as JSON writes it."""
        if value is None:
            return self.nullable
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type in ("number", "integer"):
            if isinstance(value, bool | str) or (self.type == "integer" and value != int(value)):
                return False
            low, high = self.range or (-math.inf, math.inf)
            return low <= value <= high
        return isinstance(value, str) and (self.categories is None or value in self.categories)

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Self:
        if self.type == "category" and not self.categories:
            raise ValueError(f"column {self.name!r} is a category: list its values under `categories`")
        if self.type != "category" and self.categories:
            raise ValueError(f"column {self.name!r} is a {self.type}: only a category has `categories`")
        if self.categories and "" in self.categories:
            raise ValueError(f"column {self.name!r}: an empty text stands for a missing value and is no category")
        if self.range and self.type not in ("number", "integer"):
            raise ValueError(f"column {self.name!r} is a {self.type}: only number and integer have a `range`")
        if self.range and not self.range[0] <= self.range[1]:
            raise ValueError(f"column {self.name!r}: the range {self.range} ends before it starts")
        if self.thousands and self.type not in ("number", "integer"):
            raise ValueError(f"column {self.name!r} is a {self.type}: only number and integer have `thousands`")
        if self.format and self.type != "timestamp":
            raise ValueError(f"column {self.name!r} is a {self.type}: only a timestamp has a `format`")
        if self.type == "timestamp" and self.role == "feature":
            raise ValueError(f"column {self.name!r}: a timestamp cannot feed the model; give it `role: ignore`")
        if self.sensitive and self.role != "feature":
            raise ValueError(
                f"column {self.name!r} has `role: {self.role}`: the prediction log never holds it; "
                "only what feeds the model is `sensitive`"
            )
        return self
