"""The page of a replay: what happened, what was seen of it and when, and what was done, over the days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.adapters.templates import templates
from sluice.domain.figures import Scale
from sluice.domain.measures import TITLES
from sluice.orchestration.replay import plot
from sluice.orchestration.replay.outcome import Expectation, found_on
from sluice.orchestration.replay.record import Basis, Day, Training

if TYPE_CHECKING:
    from sluice.orchestration.replay.days import Days

PAGES = Path(__file__).parent / "pages"

#: The daily checks in the order in which they are shown.
KINDS = ("drift", "quality", "performance")
#: What an answer of the policy looks like in a lane.
MARKS = {"alert": "!", "approval": "?", "retrain": "↻"}
#: A column that lies this many times its threshold away is as dark as any.
DARKEST = 3.0


@dataclass(frozen=True)
class Span:
    """A stretch of days in a lane.

    Attributes:
        start: Its first day's place, from 0.
        days: How many.
        tone: How it is drawn.
        text: What stands in it.
    """

    start: int
    days: int
    tone: str
    text: str = ""


@dataclass(frozen=True)
class Mark:
    """A sign on a day.

    Attributes:
        share: Where: 0 is the left end.
        sign: What is drawn.
        tone: How.
        title: What it stands for, for whoever points at it.
    """

    share: float
    sign: str
    tone: str
    title: str


@dataclass(frozen=True)
class Lane:
    """A row of days without an axis."""

    title: str
    note: str
    spans: tuple[Span, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A row of days with an axis.

    Attributes:
        scale: The vertical one.
        paths: Class and path of each shape, the lowest first.
    """

    scale: Scale
    paths: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """One column of the data over the days: darkness of each day's cell, 0 to 1, and None where nobody could tell."""

    column: str
    cells: tuple[tuple[float | None, bool], ...]


def render(world: Days, days: tuple[Day, ...], judged: tuple[Expectation, ...], seconds: float) -> str:
    """The page as HTML that needs nothing else.

    Args:
        world: What was replayed.
        days: What was seen, the day of the first release first.
        judged: What was expected of it.
        seconds: How long it took.
    """
    lived = days[1:]
    trainings = [(day.number, day.training) for day in days if day.training]
    metric = world.use_case.performance_metric
    template = templates(PAGES).get_template("replay.html.j2")
    return template.render(
        world=world,
        scenario=world.scenario,
        use_case=world.use_case,
        days=lived,
        judged=judged,
        met=all(each.met for each in judged),
        minutes=seconds / 60,
        tiles=_tiles(world, lived, trainings[1:]),
        lanes=_lanes(lived, trainings),
        limit=world.use_case.monitoring.max_drifted_share,
        drift=_drift(world, lived),
        rows=_rows(lived),
        metric=TITLES[metric],
        performance=_performance(lived),
        trainings=trainings,
        ticks=plot.days(len(lived)),
        count=len(lived),
        height=plot.HEIGHT,
    )


def _tiles(world: Days, days: Sequence[Day], retrainings: Sequence[tuple[int, Training]]) -> list[tuple[str, str]]:
    """Numbers to begin with, and what each is of."""
    found, first = found_on(world.scenario, tuple(days)), world.scenario.first_day
    told = [day.estimate_holds for day in days if day.estimate_holds is not None]
    took = "never" if first is not None else "none"
    if found is not None and first is not None:
        took = f"{found - first + 1} day{'s' if found > first else ''}"
    mails = sum(check.mailed for day in days for check in day.checks.values())
    promoted = sum(training.promoted for _, training in retrainings)
    return [
        (took, "until it was found" if first is not None else "nothing to find"),
        (str(mails), "mail" if mails == 1 else "mails"),
        (str(len(retrainings)), "retraining" if len(retrainings) == 1 else "retrainings"),
        (str(promoted), "let through by the gate"),
        (f"{sum(told)} of {len(told)}", "days' estimates held") if told else ("none", "days' estimates held"),
    ]


def _lanes(days: Sequence[Day], trainings: Sequence[tuple[int, Training]]) -> list[Lane]:
    world = [("off", "") if not day.strength else ("half" if day.strength < 1 else "on", "") for day in days]
    versions = [(f"version{day.version % 4}", f"v{day.version}") for day in days]
    count = len(days)
    decided = tuple(
        Mark(
            # What was trained in the morning after a day stands at its end.
            min(number / count, 1.0),
            "✓" if training.promoted else "✗",
            "good" if training.promoted else "bad",
            f"day {number}: version {training.version or 'none'}: {training.code}",
        )
        for number, training in trainings
        if number
    )
    return [
        Lane("World", "what was changed", _spans(world)),
        *(_checked(kind, days) for kind in KINDS),
        Lane("Champion", "and the gate's decisions", _spans(versions), decided),
    ]


def _checked(kind: str, days: Sequence[Day]) -> Lane:
    tones = []
    marks = []
    for place, day in enumerate(days):
        check = day.checks.get(kind)
        verdict = check.verdict if check else "unknown"
        tones.append(({"stable": "calm", "unknown": "unknown"}.get(verdict, "breach"), ""))
        if check and check.alarmed:
            title = f"day {day.number}: {check.response}. {check.reason}"
            tone = "strong" if check.response == "retrain" else "mailed" if check.mailed else "again"
            marks.append(Mark((place + 0.5) / len(days), MARKS[check.response], tone, title))
    return Lane({"quality": "Data quality"}.get(kind, kind.capitalize()), "check", _spans(tones), tuple(marks))


def _spans(days: Sequence[tuple[str, str]]) -> tuple[Span, ...]:
    """Neighbouring days that look the same as one."""
    spans = []
    start = 0
    for (tone, text), same in groupby(days):
        length = len(list(same))
        spans.append(Span(start, length, tone, text))
        start += length
    return tuple(spans)


def _drift(world: Days, days: Sequence[Day]) -> Chart:
    shares = [day.drifted_share for day in days]
    limit = world.use_case.monitoring.max_drifted_share
    scale = plot.upright(shares, 0, limit, 1)
    level: list[float | None] = [limit] * len(days)
    return Chart(scale, (("limit", plot.line(scale, level)), ("line", plot.line(scale, shares))))


def _rows(days: Sequence[Day]) -> list[Row]:
    names = list(dict.fromkeys(moved.column for day in days for moved in day.columns))
    by_day = [{moved.column: moved for moved in day.columns} for day in days]
    rows = []
    for name in names:
        cells: list[tuple[float | None, bool]] = []
        for columns in by_day:
            moved = columns.get(name)
            if moved is None or moved.score is None or not moved.threshold:
                cells.append((None, False))
            else:
                darkness = min(moved.score / moved.threshold / DARKEST, 1.0)
                cells.append((round(darkness, 2), bool(moved.drifted)))
        rows.append(Row(name, tuple(cells)))
    return rows


def _performance(days: Sequence[Day]) -> Chart:
    estimates = [day.measured("estimated") for day in days]
    lows = [each.low if each else None for each in estimates]
    highs = [each.high if each else None for each in estimates]
    middle = [each.value if each else None for each in estimates]
    realised, promised = _values(days, "realised"), _values(days, "promised")
    hindsight = [day.hindsight for day in days]
    scale = plot.upright([*middle, *lows, *highs, *realised, *promised, *hindsight])
    return Chart(
        scale,
        (
            ("band", plot.band(scale, lows, highs)),
            ("promised", plot.line(scale, promised)),
            ("estimated", plot.line(scale, middle)),
            ("hindsight", plot.line(scale, hindsight)),
            ("realised", plot.line(scale, realised)),
        ),
    )


def _values(days: Sequence[Day], basis: Basis) -> list[float | None]:
    return [found.value if (found := day.measured(basis)) else None for day in days]
