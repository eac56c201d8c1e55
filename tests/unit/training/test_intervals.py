from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.domain.use_case import UseCase
from sluice.training import intervals


def test_the_half_width_is_the_conformal_quantile_of_the_absolute_errors() -> None:
    errors = np.arange(1.0, 20.0)
    assert intervals.half_width(np.zeros(19), -errors, 0.9) == 18.0


def test_too_few_rows_give_no_interval() -> None:
    assert intervals.half_width(np.zeros(8), np.ones(8), 0.9) is None
    assert intervals.half_width(np.zeros(9), np.ones(9), 0.9) == 1.0


@given(st.lists(st.floats(0, 1e6), min_size=9, max_size=200))
def test_it_covers_at_least_its_level_of_the_calibration_rows(errors: list[float]) -> None:
    half = intervals.half_width(np.zeros(len(errors)), np.array(errors), 0.9)
    assert half is not None
    assert np.mean(np.array(errors) <= half) >= 0.9


def test_coverage_is_measured_on_the_test_rows_and_the_targets_range_cuts_the_interval(flats: UseCase) -> None:
    calibration = (np.zeros(99), np.linspace(0, 10, 99))
    found = intervals.measure(flats, calibration, (np.zeros(4), np.array([0.0, 5.0, -9.0, 11.0])))
    assert found is not None
    assert (found.level, found.coverage, found.minimum, found.maximum) == (0.9, 0.75, 0, 100000)
    assert found.half_width == pytest.approx(9.08, abs=0.01)
