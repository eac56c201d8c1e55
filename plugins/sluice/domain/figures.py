"""Figures: numbers as people read them."""

from __future__ import annotations

import math
from decimal import Decimal


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
