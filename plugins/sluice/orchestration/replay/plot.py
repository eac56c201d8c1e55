"""Plots: numbers over the days as shapes of an SVG that is as wide as there is room, and labels beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sluice.domain.figures import Scale, Tick

#: Height of a plot's own coordinates; its width is one for each day.
HEIGHT = 100
#: Days between two labels below an axis; the first that leaves few enough.
STEPS = (1, 2, 5, 10, 20, 50, 100)
MOST_DAYS = 8


def upright(values: Iterable[float | None], *ends: float) -> Scale:
    """The vertical axis that holds all of some values; what is missing or no number does not count.

    Args:
        values: What it must hold.
        ends: What it must hold beside that, too.
    """
    known = [value for value in (*values, *ends) if value is not None and math.isfinite(value)]
    return Scale.around(known or [0.0, 1.0])


def height(scale: Scale, value: float) -> float:
    """Where a value lies in the plot's own coordinates, which begin at the top."""
    return round(HEIGHT - min(max(scale.at(value), 0.0), HEIGHT), 2)


def line(scale: Scale, values: Sequence[float | None]) -> str:
    """The path of a line through the middle of each day; broken where a value is missing."""
    return " ".join(
        f"M{run[0][0] + 0.5} {height(scale, run[0][1])}" + _through(scale, run[1:] or run) for run in _runs(values)
    )


def band(scale: Scale, lows: Sequence[float | None], highs: Sequence[float | None]) -> str:
    """The path of the area between two lines."""
    whole = [None if low is None else high for low, high in zip(lows, highs, strict=True)]
    paths = []
    for run in _runs(whole):
        days = [day for day, _ in run]
        # A day alone is as wide as a day.
        edge = 0.5 if len(days) == 1 else 0.0
        there = [f"{day + 0.5 + side} {height(scale, high)}" for day, high in run for side in _sides(edge)]
        back = [
            f"{day + 0.5 - side} {height(scale, lows[day] or 0.0)}" for day in reversed(days) for side in _sides(edge)
        ]
        paths.append(f"M{' L'.join([*there, *back])} Z")
    return " ".join(paths)


def days(count: int) -> tuple[Tick, ...]:
    """Labels below the days; the first day is 1."""
    step = next((each for each in STEPS if count / each <= MOST_DAYS), STEPS[-1])
    marks = [1, *range(step, count + 1, step)] if step > 1 else range(1, count + 1)
    return tuple(Tick(100 * (day - 0.5) / count, str(day)) for day in marks)


def _sides(edge: float) -> tuple[float, ...]:
    return (-edge, edge) if edge else (0.0,)


def _through(scale: Scale, run: Sequence[tuple[int, float]]) -> str:
    return "".join(f" L{day + 0.5} {height(scale, value)}" for day, value in run)


def _runs(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The stretches without a gap, each as places and values."""
    runs: list[list[tuple[int, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None or not math.isfinite(value):
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]
