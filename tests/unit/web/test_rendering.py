from datetime import UTC, datetime, timedelta

import pytest

from sluice.web.rendering import page, since, span

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.3456, "0.35 s"),
        (9.4, "9.4 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
        (40 * 86_400, "40 d"),
    ],
)
def test_a_length_of_time_is_said_in_the_units_that_matter(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=12), "12 s ago"),
        (timedelta(minutes=3, seconds=20), "3 min ago"),
        (timedelta(hours=30), "1 d ago"),
        (timedelta(minutes=-5), "in 5 min"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(ago: timedelta, text: str) -> None:
    assert since(NOW - ago, NOW) == text


def test_what_is_shown_is_text_and_never_markup() -> None:
    answer = page("notice", NOW, {"title": "<b>a</b>", "message": "<script>b</script>", "has_platform": False}, 503)

    text = bytes(answer.body).decode()
    assert answer.status_code == 503
    assert "&lt;b&gt;a&lt;/b&gt;" in text
    assert "<script" not in text
