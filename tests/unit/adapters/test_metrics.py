from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from sluice.adapters.metrics import METRICS, mape, measure, r2
from sluice.domain.policy import Metric

numbers = st.floats(1e-3, 1e6)


def test_every_metric_a_spec_may_name_is_measured() -> None:
    assert set(METRICS) == set(get_args(Metric))
    assert list(measure(np.ones(3), np.ones(3))) == list(METRICS)


@given(st.lists(st.tuples(numbers, numbers), min_size=3, max_size=50))
def test_the_numbers_are_those_of_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    actual, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    if np.ptp(actual) < 1e-6 * actual.max():
        return
    assert measure(actual, predicted) == pytest.approx(
        {
            "rmse": reference.root_mean_squared_error(actual, predicted),
            "mae": reference.mean_absolute_error(actual, predicted),
            "mape": reference.mean_absolute_percentage_error(actual, predicted),
            "r2": reference.r2_score(actual, predicted),
        }
    )


def test_what_cannot_be_told_is_not_a_number() -> None:
    assert np.isnan(r2(np.full(4, 2.0), np.arange(4.0)))
    assert np.isnan(mape(np.zeros(4), np.ones(4)))
    assert mape(np.array([0.0, 2.0]), np.array([5.0, 1.0])) == 0.5
    assert np.isnan(measure(np.ones(2), np.array([1.0, np.nan]))["rmse"])
