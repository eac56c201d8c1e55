from datetime import UTC, datetime, timedelta

import pytest

from sluice.web.charts import Point, Series, draw

BEGIN = datetime(2026, 5, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def points(*values: float | None) -> tuple[Point, ...]:
    return tuple(Point(BEGIN + n * DAY, value, f"day {n}") for n, value in enumerate(values))


def test_places_are_shares_of_the_drawing() -> None:
    chart = draw("share", [Series("share", "solid", points(0, 0.5, 1))], [(0.5, "limit 50%")], shares=True)

    assert chart is not None
    [line] = chart.lines
    assert [(dot.x, dot.y) for dot in line.dots] == [(0, 0), (50, 50), (100, 100)]
    assert line.paths == ("0,100 50,50 100,0",)
    assert [(tick.at, tick.text) for tick in chart.limits] == [(50, "limit 50%")]
    assert [tick.text for tick in chart.levels] == ["0%", "25%", "50%", "75%", "100%"]
    assert [tick.text for tick in chart.dates] == ["02 May 12:00", "03 May 12:00", "04 May 12:00"]


def test_a_line_breaks_where_there_is_no_number() -> None:
    chart = draw("x", [Series("x", "solid", points(1, 2, None, 3, 2, float("nan"), 1))])

    assert chart is not None
    assert [len(path.split()) for path in chart.lines[0].paths] == [2, 2]
    assert [dot.y is None for dot in chart.lines[0].dots] == [False, False, True, False, False, True, False]


@pytest.mark.parametrize(
    "values",
    [(50_000.0, 51_234.5), (0.0001, 0.00012), (3.0,), (0.0,), (-5.0, 5.0), (1e12, 2.5e12)],
    ids=["thousands", "small", "one", "nought", "both signs", "huge"],
)
def test_levels_are_few_round_and_hold_every_number(values: tuple[float, ...]) -> None:
    chart = draw("x", [Series("x", "solid", points(*values))])

    assert chart is not None
    levels = [float(tick.text.replace(",", "")) for tick in chart.levels]
    assert 3 <= len(levels) <= 6
    assert levels[0] <= min(values) <= max(values) <= levels[-1]
    assert [tick.at for tick in chart.levels][:: len(levels) - 1] == [0, 100]


def test_one_point_stands_in_the_middle_and_none_is_no_drawing() -> None:
    chart = draw("x", [Series("x", "solid", points(0.4))])

    assert chart is not None
    assert (chart.lines[0].dots[0].x, chart.lines[0].paths, len(chart.dates)) == (50, (), 1)
    assert draw("x", []) is None
    assert draw("x", [Series("x", "solid", points(None))]) is not None, "that there was a check is shown"


def test_bounds_are_within_the_drawing() -> None:
    chart = draw("x", [Series("x", "solid", (Point(BEGIN, 5, "", low=1, high=9),))])

    assert chart is not None
    [dot] = chart.lines[0].dots
    assert dot.low is not None
    assert dot.high is not None
    assert 0 <= dot.low < 50 < dot.high <= 100
