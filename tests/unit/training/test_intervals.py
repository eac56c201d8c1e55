from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.domain.contract import Interval
from sluice.domain.use_case import UseCase
from sluice.training import intervals
from tests.unit.training.conftest import spec


@pytest.fixture(scope="module")
def plain() -> UseCase:
    return spec(training={"target_transform": "none"})


def test_the_bound_is_the_conformal_quantile_of_the_errors() -> None:
    # The 18th smallest of 19: ceil(20 * 0.9).
    assert intervals.quantile(np.arange(1.0, 20.0)[::-1], 0.9) == 18.0


def test_too_few_rows_or_too_many_errors_without_end_give_no_bound() -> None:
    assert intervals.quantile(np.ones(8), 0.9) is None
    assert intervals.quantile(np.ones(9), 0.9) == 1.0
    assert intervals.quantile(np.array([1.0] * 17 + [np.nan] * 2), 0.9) is None
    assert intervals.quantile(np.array([1.0] * 17 + [np.inf] * 2), 0.9) is None
    assert intervals.quantile(np.array([1.0] * 18 + [np.nan]), 0.9) == 1.0


@given(st.lists(st.floats(0, 1e6), min_size=9, max_size=200))
def test_it_covers_at_least_its_level_of_the_calibration_rows(errors: list[float]) -> None:
    half = intervals.quantile(np.array(errors), 0.9)
    assert half is not None
    assert np.mean(np.array(errors) <= half) >= 0.9


def test_coverage_is_measured_on_the_test_rows_and_the_targets_range_cuts_the_interval(plain: UseCase) -> None:
    calibration = (np.zeros(99), np.linspace(0, 10, 99))
    found = intervals.interval(plain, calibration, (np.zeros(4), np.array([0.0, 5.0, -9.0, 11.0])))
    assert found is not None
    assert (found.level, found.scale, found.coverage) == (0.9, "identity", 0.75)
    assert (found.minimum, found.maximum) == (0, 100000)
    assert found.half_width == pytest.approx(9.08, abs=0.01)


def test_a_target_that_was_learned_as_a_logarithm_has_an_interval_that_grows_with_it(flats: UseCase) -> None:
    actual = np.linspace(100, 1000, 99)
    found = intervals.interval(flats, (actual, 1.1 * actual), (actual, 1.05 * actual))
    assert found is not None
    assert found.scale == "log"
    assert found.half_width == pytest.approx(np.log(1.1), rel=0.02)
    assert found.coverage == 1
    low, high = intervals.ends(found, np.array([200.0, 800.0]))
    np.testing.assert_allclose(high - low, [38.3, 152.8], rtol=0.02)


def test_the_ends_are_where_coverage_says_they_are(flats: UseCase, plain: UseCase) -> None:
    draw = np.random.default_rng(1)
    actual = draw.uniform(100, 1000, 400)
    predicted = actual * draw.lognormal(0, 0.2, 400)
    for use_case in (flats, plain):
        found = intervals.interval(use_case, (actual[:200], predicted[:200]), (actual[200:], predicted[200:]))
        assert found is not None
        low, high = intervals.ends(found, predicted[200:])
        assert np.mean((low <= actual[200:]) & (actual[200:] <= high)) == found.coverage
        assert 0.8 < found.coverage < 0.98


def test_the_ends_keep_to_the_range_of_the_target() -> None:
    found = Interval(level=0.9, half_width=10, minimum=0, maximum=100, coverage=0.9)
    low, high = intervals.ends(found, np.array([3.0, 50.0, 95.0]))
    assert (low.tolist(), high.tolist()) == ([0, 40, 85], [13, 60, 100])


def test_a_prediction_without_a_logarithm_is_never_covered(flats: UseCase) -> None:
    actual = np.full(20, 5.0)
    found = intervals.interval(flats, (actual, actual), (actual, np.array([-3.0] * 5 + [5.0] * 15)))
    assert found is not None
    assert found.coverage == 0.75


def test_a_set_holds_every_class_as_probable_as_nine_in_ten_true_ones_were() -> None:
    own = np.linspace(0.05, 0.95, 19)
    calibration = (np.zeros(19), np.column_stack([own, 1 - own]))
    test = (np.array([0.0, 1.0, 0.0]), np.array([[0.97, 0.03], [0.8, 0.2], [0.05, 0.95]]))
    found = intervals.prediction_set(calibration, test)
    assert found is not None
    # The second smallest: 18 of 19 rows have at least as much.
    assert found.threshold == own[1]
    # {0}, {0, 1} and {1}: two hold the true class, with four classes in three sets.
    assert (found.coverage, found.mean_size) == (pytest.approx(2 / 3), pytest.approx(4 / 3))


def test_a_set_is_never_empty() -> None:
    sure = np.tile([0.99, 0.01], (50, 1))
    unsure = np.array([[0.4, 0.35, 0.25]])
    calibration = (np.zeros(50), np.column_stack([sure, np.zeros(50)]))
    found = intervals.prediction_set(calibration, (np.array([0.0]), unsure))
    assert found is not None
    assert found.threshold == 0.99
    assert (found.coverage, found.mean_size) == (1, 1)


def test_too_few_rows_or_answers_that_are_no_numbers_give_no_set() -> None:
    half = np.full((8, 2), 0.5)
    assert intervals.prediction_set((np.zeros(8), half), (np.zeros(8), half)) is None
    broken = np.full((20, 2), np.nan)
    assert intervals.prediction_set((np.zeros(20), broken), (np.zeros(8), half)) is None


@given(st.lists(st.floats(0, 1), min_size=9, max_size=100))
def test_sets_cover_at_least_their_level_of_the_calibration_rows(own: list[float]) -> None:
    probabilities = np.column_stack([own, 1 - np.array(own)])
    rows = (np.zeros(len(own)), probabilities)
    found = intervals.prediction_set(rows, rows)
    assert found is not None
    assert found.coverage >= 0.9
