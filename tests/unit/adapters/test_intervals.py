"""Every interval says how far a number may be from what more rows would show."""

import numpy as np
import pytest

from sluice.adapters.intervals import beside, draws, percentile, wilson
from sluice.adapters.metrics import METRICS
from sluice.domain.evidence import Check

GENERATOR = np.random.default_rng(9)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # The last is the example of Newcombe, Statistics in Medicine 1998, table I.
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_of_a_share_is_wilsons(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=1e-4)


def test_a_share_lies_within_its_interval_as_often_as_is_said() -> None:
    hits = GENERATOR.binomial(200, 0.9, 2000)
    within = [low <= 0.9 <= high for low, high in (wilson(int(h), 200) for h in hits)]

    assert np.mean(within) == pytest.approx(0.95, abs=0.02)


def test_a_metric_lies_within_its_draws() -> None:
    actual = GENERATOR.normal(0, 10, 500)
    said = actual + GENERATOR.normal(0, 2, 500)
    found = draws(["rmse", "mae"], actual, said, seed=1)

    for metric in found:
        ends = percentile(found[metric])
        assert ends is not None
        assert ends[0] < METRICS[metric](actual, said) < ends[1]
        assert ends[1] - ends[0] < 0.5


def test_draws_that_cannot_tell_leave_no_interval_where_they_are_many() -> None:
    some = np.linspace(0, 1, 200)
    few, many = some.copy(), some.copy()
    few[:2] = np.nan
    many[:20] = np.nan

    assert percentile(few) is not None
    assert percentile(many) is None


def test_a_check_decides_as_before_beside_its_interval() -> None:
    check = Check(code="c", verdict="pass", message="as it was", value=1.0)

    assert beside(check, (0.5, 1.5)) == check.model_copy(update={"interval": (0.5, 1.5)})
    assert beside(check, None) is check
