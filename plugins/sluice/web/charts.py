"""Charts: numbers over time as drawings that keep their letters' size on a phone.

Places are shares of the drawing's width and height, in percent from the lower left; the template draws lines in a
stretched box, and dots and letters beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sluice.domain.figures import plain
from sluice.web.facts import Tone

Look = Literal["solid", "dashed", "dotted", "bare"]

#: As many labels as fit beside each other on a phone.
MOST_DATES = 3


@dataclass(frozen=True)
class Point:
    """A number at a moment.

    Attributes:
        at: When.
        value: The number; None where there is none, and the line is broken.
        text: What it says when pointed at.
        tone: Its colour and shape.
        low: Where its bounds begin, if it has any.
        high: Where they end.
    """

    at: datetime
    value: float | None
    text: str
    tone: Tone = "plain"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points that belong together, in order of time."""

    name: str
    look: Look
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Dot:
    """A point in its place; without `y` it has no number, and lies on the ground."""

    x: float
    y: float | None
    text: str
    tone: Tone
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Line:
    """A series in its place; `paths` are its unbroken parts, as SVG writes points."""

    name: str
    look: Look
    dots: tuple[Dot, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Tick:
    """A label in its place."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A drawing."""

    title: str
    lines: tuple[Line, ...]
    dates: tuple[Tick, ...]
    levels: tuple[Tick, ...]
    limits: tuple[Tick, ...]


def draw(
    title: str,
    series: Sequence[Series],
    limits: Sequence[tuple[float, str]] = (),
    shares: bool = False,
) -> Chart | None:
    """Draw series over time.

    Args:
        title: What is seen.
        series: In order of time; the later ones lie above.
        limits: Level and name of what must not be crossed.
        shares: The numbers are shares of a whole: all of it is drawn, and written in percent.

    Returns:
        The drawing; None where there is no point at all.
    """
    points = [point for one in series for point in one.points]
    if not points:
        return None
    begin, end = min(p.at for p in points), max(p.at for p in points)
    numbers = [n for p in points for n in (p.value, p.low, p.high) if n is not None and math.isfinite(n)]
    steps = _levels(*((0.0, 1.0) if shares else _around(numbers + [level for level, _ in limits])))
    bottom, top = steps[0], steps[-1]

    def x(at: datetime) -> float:
        return 50.0 if begin == end else round(100 * ((at - begin) / (end - begin)), 2)

    def y(number: float | None) -> float | None:
        if number is None or not math.isfinite(number):
            return None
        return round(100 * min(1.0, max(0.0, (number - bottom) / (top - bottom))), 2)

    lines = []
    for one in series:
        dots = tuple(Dot(x(p.at), y(p.value), p.text, p.tone, y(p.low), y(p.high)) for p in one.points)
        lines.append(Line(one.name, one.look, dots, _paths(dots)))
    return Chart(
        title,
        tuple(lines),
        tuple(Tick(x(at), _date(at, end - begin)) for at in _dates(begin, end)),
        tuple(Tick(y(level) or 0.0, f"{level:.0%}" if shares else plain(level)) for level in steps),
        tuple(Tick(y(level) or 0.0, name) for level, name in limits),
    )


def _paths(dots: Sequence[Dot]) -> tuple[str, ...]:
    parts: list[list[str]] = [[]]
    for dot in dots:
        if dot.y is None:
            parts.append([])
        else:
            parts[-1].append(f"{dot.x:g},{round(100 - dot.y, 2):g}")
    return tuple(" ".join(part) for part in parts if len(part) > 1)


def _around(numbers: Sequence[float]) -> tuple[float, float]:
    """A little more than the numbers take."""
    if not numbers:
        return 0.0, 1.0
    low, high = min(numbers), max(numbers)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return (max(0.0, low - room) if low >= 0 else low - room), high + room


def _levels(low: float, high: float) -> tuple[float, ...]:
    """Three to six round levels that hold both."""
    size = 10.0 ** math.floor(math.log10((high - low) / 2))
    step = next(size * part for part in (1, 2, 2.5, 5, 10) if (high - low) / (size * part) <= 4)
    first, last = math.floor(round(low / step, 9)), math.ceil(round(high / step, 9))
    return tuple(round(n * step, 12) for n in range(first, last + 1))


def _dates(begin: datetime, end: datetime) -> tuple[datetime, ...]:
    if begin == end:
        return (begin,)
    return tuple(begin + (end - begin) * part / (MOST_DATES - 1) for part in range(MOST_DATES))


def _date(at: datetime, span: timedelta) -> str:
    return f"{at.astimezone(UTC):%d %b}" if span >= timedelta(days=3) else f"{at.astimezone(UTC):%d %b %H:%M}"
