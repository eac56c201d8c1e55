"""Fields: what each input may be, in words and as a check, and how its values become the graph's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tabular.releases.contract import Contract, Input, Limits, Value

#: Longer category values are refused, whatever the policy on unseen ones.
MOST_CHARACTERS = 200
#: Larger whole numbers are no longer exact as doubles.
EXACT = 2**53


@dataclass(frozen=True)
class Field:
    """One input.

    Attributes:
        text: Whether the graph takes it as text; otherwise as doubles.
        missing: Whether it may be left out.
        allowed: What it may be, in words.
        fault: What is wrong with a value; None where nothing is.
        settle: A value without fault, in the one type that the log knows it by.
    """

    name: str
    text: bool
    missing: bool
    allowed: str
    fault: Callable[[Any], str | None]
    settle: Callable[[Any], Value]

    def tensor(self, column: Sequence[Value]) -> npt.NDArray[Any]:
        """The graph's input of shape (rows, 1), with "" or NaN for what is missing."""
        if self.text:
            return np.array(["" if value is None else value for value in column], dtype=object).reshape(-1, 1)
        # None becomes NaN.
        return np.array(column, dtype=np.float64).reshape(-1, 1)


def fields(contract: Contract) -> tuple[Field, ...]:
    """The inputs of a contract, in its order."""
    return tuple(field(given, contract.limits) for given in contract.inputs)


def field(given: Input, limits: Limits) -> Field:
    """One input of a contract."""
    missing = given.nullable and limits.missing == "impute"
    check, allowed = _CHECKS[given.type](given, limits)
    return Field(
        name=given.name,
        text=given.type == "category",
        missing=missing,
        allowed=f"{allowed}{f', in {given.unit}' if given.unit else ''}{', or null' if missing else ''}",
        fault=check,
        settle=_SETTLED[given.type],
    )


def _number(given: Input, _: Limits) -> tuple[Callable[[Any], str | None], str]:
    low = -math.inf if given.minimum is None else given.minimum
    high = math.inf if given.maximum is None else given.maximum
    whole = given.type == "integer"

    def fault(value: Any) -> str | None:
        # A boolean is an int in Python, and no number in JSON.
        if type(value) is not float and type(value) is not int:
            return "is not a number"
        try:
            number = float(value)
        except OverflowError:
            return "is not a finite number"
        if not math.isfinite(number):
            return "is not a finite number"
        if whole and not number.is_integer():
            return "is not a whole number"
        return None if low <= number <= high else "is out of range"

    bounds = {
        (True, True): f" from {low:.15g} to {high:.15g}",
        (True, False): f" of at least {low:.15g}",
        (False, True): f" of at most {high:.15g}",
        (False, False): "",
    }[given.minimum is not None, given.maximum is not None]
    return fault, f"a {'whole' if whole else 'finite'} number{bounds}"


def _boolean(_: Input, __: Limits) -> tuple[Callable[[Any], str | None], str]:
    return lambda value: None if isinstance(value, bool) else "is not a boolean", "true or false"


def _category(given: Input, limits: Limits) -> tuple[Callable[[Any], str | None], str]:
    known = frozenset(given.categories or ())
    closed = given.categories is not None and limits.unseen_category == "reject"

    def fault(value: Any) -> str | None:
        if type(value) is not str:
            return "is not text"
        if value in known:
            return None
        if closed:
            return "is not one of the categories"
        # Text that a database or a graph cannot hold, or that means "missing" to the graph.
        if not value or not value.isprintable() or len(value) > MOST_CHARACTERS:
            return f"is not printable text of 1 to {MOST_CHARACTERS} characters"
        return None

    listed = ", ".join((given.categories or ())[:20]) + (", ..." if len(known) > 20 else "")
    return fault, f"one of: {listed}" if closed else f"text of 1 to {MOST_CHARACTERS} characters"


_CHECKS: Mapping[str, Callable[[Input, Limits], tuple[Callable[[Any], str | None], str]]] = {
    "number": _number,
    "integer": _number,
    "boolean": _boolean,
    "category": _category,
}


def _whole(value: Any) -> Value:
    """A whole number, as an integer where doubles are exact; the log's text has no larger ones."""
    return int(value) if abs(value) <= EXACT else float(value)


_SETTLED: Mapping[str, Callable[[Any], Value]] = {"number": float, "integer": _whole, "boolean": bool, "category": str}
