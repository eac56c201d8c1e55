"""What Great Expectations found is told as people write numbers."""

from typing import Any

import pytest

from sluice.ingestion.expectations import outcome


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"observed_value": 12000}, "observed 12,000"),
        ({"observed_value": 206855.816}, "observed 206,856"),
        ({"observed_value": ["NEAR BAY", "INLAND"]}, "observed ['NEAR BAY', 'INLAND']"),
        ({"unexpected_count": 1200, "element_count": 20640}, "1,200 of 20,640 rows do not fit"),
        ({}, "0 of 0 rows do not fit"),
    ],
)
def test_an_outcome_is_said_in_words(result: dict[str, Any], said: str) -> None:
    assert outcome({"success": False, "result": result}) == said


def test_what_could_not_be_checked_says_why() -> None:
    info = {"raised_exception": True, "exception_message": "no such column\nand much more"}

    assert outcome({"success": False, "result": {}, "exception_info": {"x": info}}) == "could not tell: no such column"
