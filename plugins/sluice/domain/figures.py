"""Figures: numbers as people read them, in text and along an axis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

#: About as many marks as an axis has.
_TICKS = 6
#: Room around what is drawn, as a share of it.
_MARGIN = 0.06
#: Of a step, that rounding may take away.
_SLACK = 1e-9


def plain(value: float, digits: int | None = 4) -> str:
    """A number without an exponent, thousands set apart: 0.8123, 31,040, 0.00001234.

    Args:
        value: The number.
        digits: Significant digits, where None as many as it has; the whole part is never rounded.
    """
    if not math.isfinite(value):
        return str(value)
    if digits is None:
        text = repr(float(value))
    else:
        whole = len(str(int(abs(value))))
        text = f"{value:.{max(digits, whole)}g}"
    return f"{Decimal(text).normalize() + 0:,f}"


def short(value: float) -> str:
    """A number in few letters: 1.2M, 40k, 0.35."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


@dataclass(frozen=True)
class Scale:
    """A stretch of numbers, laid out from 0 to 100."""

    low: float
    high: float

    @classmethod
    def around(cls, values: list[float]) -> Scale:
        """One that holds these, with a margin."""
        low, high = min(values), max(values)
        room = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
        return cls(low - room, high + room)

    def at(self, value: float) -> float:
        """Where a number is."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def ticks(self) -> tuple[Tick, ...]:
        """Round numbers along the stretch."""
        rough = (self.high - self.low) / _TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * size for size in (1, 2, 5, 10) if unit * size >= rough)
        first, last = math.ceil(self.low / step - _SLACK), math.floor(self.high / step + _SLACK)
        return tuple(Tick(self.at(n * step), short(n * step)) for n in range(first, last + 1))


@dataclass(frozen=True)
class Tick:
    """A mark of an axis."""

    at: float
    text: str
