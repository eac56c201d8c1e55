import os
import subprocess
import sys
from typing import Any

import pytest

from sluice.monitoring.comparison import Sampled
from sluice.monitoring.sampling import parse
from tests.conftest import REPOSITORY


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


def test_what_a_comparison_needs_of_evidently_is_enough_for_it() -> None:
    # In a program of its own, because in this one all of the library has been imported.
    program = """
import sys
import pandas as pd
from sluice.domain.monitoring import Monitoring
from sluice.monitoring import sampling
here, there = (pd.DataFrame({"x": [*range(n, n + 99)], "c": ["red"] * 98 + ["blue"]}) for n in (0, 40))
found = sampling.compare(here, there, {"x": "numerical", "c": "categorical"}, Monitoring())
print([found.columns[name].drifted for name in "xc"], "<html" in found.html, '"metric_results"' in found.dumps())
print([name for name in ("sklearn", "nltk", "litestar", "evidently.ui", "evidently.llm") if name in sys.modules])
"""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "plugins")}
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=environment, capture_output=True)

    assert ended.stdout.decode().splitlines() == ["[True, False] True True", "[]"], ended.stderr.decode()
