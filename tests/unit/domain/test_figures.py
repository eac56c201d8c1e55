"""People read numbers without an exponent, with the digits that matter."""

import pytest

from sluice.domain.figures import Scale, plain


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.81234567, "0.8123"),
        (0.5, "0.5"),
        (200, "200"),
        (31040.2, "31,040"),
        (1234567.8, "1,234,568"),
        (0.00001234567, "0.00001235"),
        (-52000.5, "-52,000"),
        (-0.0, "0"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
    ],
)
def test_a_number_is_shown_as_people_write_it(value: float, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.1 + 0.2, "0.30000000000000004"), (69000.125, "69,000.125"), (1e6, "1,000,000")]
)
def test_every_digit_is_shown_where_asked(value: float, text: str) -> None:
    assert plain(value, None) == text


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 1, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (15_000, 520_000, ["100k", "200k", "300k", "400k", "500k"]),
        (-3e-4, 3e-4, ["-0.0003", "-0.0002", "-0.0001", "0", "0.0001", "0.0002", "0.0003"]),
    ],
)
def test_an_axis_has_round_marks(low: float, high: float, texts: list[str]) -> None:
    ticks = Scale(low, high).ticks()

    assert [tick.text for tick in ticks] == texts
    assert all(0 <= tick.at <= 100 for tick in ticks)
