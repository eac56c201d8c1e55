"""Page: the columns that a verdict on drift rests on, above the page that Evidently draws of a sample."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.adapters.templates import templates
from sluice.domain.figures import Scale, Tick, plain
from sluice.domain.histograms import Categories, Histograms, Numbers, missing_share
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    from sluice.monitoring.comparison import ColumnDrift
    from sluice.monitoring.drift import Drift

#: Stretches of equal width that a number is drawn in.
_STRETCHES = 40
#: Of either side's values, at each end, that a picture leaves out: one far outlier would make a line of the rest.
_BEYOND = 0.005
#: Categories that are drawn; the rest is one.
_LABELS = 10
#: What the verdict stands in where there was nothing to draw a sample of.
_EMPTY = '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"></head>\n<body>\n</body>\n</html>\n'


@dataclass(frozen=True)
class Bar:
    """A category of a picture.

    Attributes:
        label: What people call it.
        before: Its share of the training rows' values, in percent.
        now: Its share of the current rows' values.
    """

    label: str
    before: float
    now: float


@dataclass(frozen=True)
class Panel:
    """One column of the page.

    Attributes:
        drift: What it did.
        before: How its values lay in the release, in words.
        now: How they lie.
        lines: Of a number: the outlines of training and current rows in a box of 100 by 40, as SVG points.
        ticks: Of a number: along its axis.
        bars: Of a category.
    """

    drift: ColumnDrift
    before: str
    now: str
    lines: tuple[str, str] | None = None
    ticks: tuple[Tick, ...] = ()
    bars: tuple[Bar, ...] = ()


def draw(use_case: UseCase, drift: Drift, frozen: Histograms, current: Histograms, sampled: str | None) -> str:
    """The whole page, which loads nothing.

    Args:
        use_case: Whose check.
        drift: What it found.
        frozen: The release's histograms.
        current: Those of the window.
        sampled: Evidently's page; None where it had nothing to draw.
    """
    pages = templates(Path(__file__).parent / "pages")
    panels = [panel(c, frozen.column(c.column), current.column(c.column)) for c in drift.columns]
    title = f"{use_case.title}: {drift.verdict}"
    head = pages.get_template("drift.html.j2").render(
        use_case=use_case, drift=drift, panels=panels, sampled=sampled is not None
    )
    titled = pages.from_string("<title>{{ title }}</title>").render(title=title)
    around = sampled or _EMPTY
    return around.replace("<head>", f"<head>{titled}", 1).replace("<body>", f"<body>{head}", 1)


def panel(drift: ColumnDrift, before: Numbers | Categories, now: Numbers | Categories) -> Panel:
    """What the page shows of one column.

    Args:
        drift: What it did.
        before: The release's histogram.
        now: The window's.
    """
    words = _words(before), _words(now)
    if isinstance(before, Numbers) and isinstance(now, Numbers):
        sides = [side for side in (before, now) if side.values]
        if not sides:
            return Panel(drift, *words)
        scale = _scale(sides)
        shares = _shares(before, scale), _shares(now, scale)
        most = max(max(side) for side in shares) or 1.0
        outlines = _outline(shares[0], most), _outline(shares[1], most)
        return Panel(drift, *words, lines=outlines, ticks=scale.ticks())
    if isinstance(before, Categories) and isinstance(now, Categories):
        return Panel(drift, *words, bars=_bars(before, now))
    return Panel(drift, *words)


def _words(histogram: Numbers | Categories) -> str:
    gone = missing_share(histogram) or 0.0
    missing = f"{gone:.2%} missing"
    if isinstance(histogram, Categories):
        new = f", {histogram.other / histogram.values:.2%} new" if histogram.other else ""
        return f"{missing}{new}"
    if histogram.mean is None or histogram.std is None or histogram.minimum is None or histogram.maximum is None:
        return missing
    span = f"{plain(histogram.minimum)} to {plain(histogram.maximum)}"
    return f"{plain(histogram.mean)} ± {plain(histogram.std, 3)}, {span}; {missing}"


def _scale(sides: list[Numbers]) -> Scale:
    ends = [_quantile(side, share) for side in sides for share in (_BEYOND, 1 - _BEYOND)]
    low, high = min(ends), max(ends)
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return Scale(low - room, high + room)


def _knots(side: Numbers) -> list[float]:
    """The edges with the smallest and the largest value around them."""
    low, high = side.minimum or 0.0, side.maximum or 0.0
    return [min(low, *side.edges), *side.edges, max(high, *side.edges)] if side.edges else [low, high]


def _quantile(side: Numbers, share: float) -> float:
    """About the value below which a share of the values is."""
    knots, below = _knots(side), 0.0
    for place, count in enumerate(side.counts):
        part = count / side.values
        if part and below + part >= share:
            return knots[place] + (knots[place + 1] - knots[place]) * (share - below) / part
        below += part
    return knots[-1]


def _shares(side: Numbers, scale: Scale) -> list[float]:
    """The share of the values in each stretch of the scale, as if they were spread evenly in their bins."""
    if not side.values:
        return [0.0] * _STRETCHES
    knots = _knots(side)
    cumulated = [0.0, *accumulate(count / side.values for count in side.counts)]
    width = (scale.high - scale.low) / _STRETCHES
    heights, place = [], 0
    for stretch in range(_STRETCHES + 1):
        at = scale.low + stretch * width
        while place < len(knots) - 2 and knots[place + 1] <= at:
            place += 1
        low, high = knots[place], knots[place + 1]
        part = min(1.0, max(0.0, (at - low) / (high - low))) if high > low else float(at > low)
        heights.append(cumulated[place] + (cumulated[place + 1] - cumulated[place]) * part)
    return [after - before for before, after in pairwise(heights)]


def _outline(shares: list[float], most: float) -> str:
    step = 100 / _STRETCHES
    points = [(0.0, 0.0)]
    for place, share in enumerate(shares):
        points += [(place * step, share / most), ((place + 1) * step, share / most)]
    points.append((100.0, 0.0))
    return " ".join(f"{x:.1f},{40 - 38 * y:.1f}" for x, y in points)


def _bars(before: Categories, now: Categories) -> tuple[Bar, ...]:
    """The commonest labels with their shares, the rest together, and those that the release did not know."""
    totals = max(1, before.values), max(1, now.values)
    pairs = zip(before.labels, before.counts, now.counts, strict=True)
    known = [Bar(label, 100 * b / totals[0], 100 * n / totals[1]) for label, b, n in pairs]
    if len(known) > _LABELS:
        ranked = sorted(known, key=lambda bar: max(bar.before, bar.now), reverse=True)
        rest = ranked[_LABELS - 1 :]
        together = Bar(f"{len(rest)} others", sum(b.before for b in rest), sum(b.now for b in rest))
        known = [*ranked[: _LABELS - 1], together]
    new = 100 * before.other / totals[0], 100 * now.other / totals[1]
    return (*known, Bar("new ones", *new)) if any(new) else tuple(known)
