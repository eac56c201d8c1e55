"""People read numbers without an exponent, with the digits that matter."""

import pytest

from sluice.domain.figures import plain


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
