from typing import Any

import pytest

from sluice.monitoring.comparison import Sampled
from sluice.monitoring.sampling import parse


def result(status: str, value: Any) -> dict[str, Any]:
    config = {"column": "x", "method": "wasserstein", "threshold": 0.1}
    return {
        "metrics": [{"id": "m", "config": config, "value": value}],
        "tests": [{"metric_config": {"metric_id": "m"}, "status": status}],
    }


@pytest.mark.parametrize(
    ("status", "value", "score", "drifted"),
    [
        ("SUCCESS", 0.05, 0.05, False),
        ("FAIL", 0.5, 0.5, True),
        ("ERROR", 0.5, 0.5, None),
        ("SUCCESS", float("nan"), None, None),
        ("SUCCESS", {"count": 1}, None, None),
    ],
    ids=["passed", "failed", "broke", "not a number", "not a score"],
)
def test_a_column_has_drifted_only_where_the_test_says_so(
    status: str, value: Any, score: float | None, drifted: bool | None
) -> None:
    assert parse(result(status, value)) == {"x": Sampled("Wasserstein distance", score, 0.1, drifted)}


def test_a_column_without_a_test_could_not_be_judged() -> None:
    assert parse({**result("SUCCESS", 0.5), "tests": []})["x"].drifted is None
