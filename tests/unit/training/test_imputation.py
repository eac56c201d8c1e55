from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import KNNImputer

from sluice.domain.features import Imputation
from sluice.training.imputation import ChainedEquations, Matrix, Neighbours, imputer, moments, sample

WAYS = get_args(Imputation)


def related(count: int, gaps: float, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Four columns that follow from two, whole, and with a share of gaps."""
    draw = np.random.default_rng(seed)
    base = draw.normal(0, 1, (count, 2))
    whole = base @ draw.normal(0, 1, (2, 4)) + draw.normal(0, 0.1, (count, 4)) + [0, 10, 100, -5]
    return whole, np.where(draw.random(whole.shape) < gaps, np.nan, whole)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_known_stays_and_every_gap_is_filled(way: Imputation) -> None:
    _, rows = related(400, gaps=0.3)
    filled = imputer(way, seed=1).fit(rows[:300]).transform(rows)
    np.testing.assert_array_equal(filled[~np.isnan(rows)], rows[~np.isnan(rows)])
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("way", WAYS)
def test_a_row_and_a_column_without_any_value_are_filled(way: Imputation) -> None:
    _, rows = related(100, gaps=0.1)
    rows[:, 2] = np.nan
    filled = imputer(way, seed=1).fit(rows).transform(np.full((1, 4), np.nan))
    assert filled[0, 2] == 0
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("way", WAYS)
def test_filling_changes_nothing_in_the_rows_it_is_given(way: Imputation) -> None:
    _, rows = related(60, gaps=0.2)
    kept = rows.copy()
    imputer(way, seed=1).fit(rows).transform(rows)
    np.testing.assert_array_equal(rows, kept)


@pytest.mark.parametrize("way", ["knn", "iterative"])
def test_related_columns_tell_more_than_a_mean(way: Imputation) -> None:
    whole, rows = related(2000, gaps=0.1)
    gaps = np.isnan(rows)
    _, scale = moments(whole)

    def error(way: Imputation) -> float:
        wrong = (imputer(way, seed=1).fit_transform(rows) - whole) / scale
        return float(np.sqrt(np.mean(wrong[gaps] ** 2)))

    assert error(way) < 0.7 * error("mean")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), gaps=st.floats(0, 0.7), neighbours=st.integers(1, 8))
def test_neighbours_are_those_of_scikit_learn_where_no_two_are_as_near(seed: int, gaps: float, neighbours: int) -> None:
    _, rows = related(80, gaps, seed)
    own = Neighbours(seed=0, neighbours=neighbours).fit(rows)
    theirs = KNNImputer(n_neighbors=neighbours, keep_empty_features=True)
    mean, scale = moments(rows)
    expected = theirs.fit((rows - mean) / scale).transform((rows - mean) / scale) * scale + mean
    np.testing.assert_allclose(own.transform(rows), expected, rtol=1e-9, atol=1e-9)


def test_rows_that_are_as_near_as_the_last_neighbour_count_as_well() -> None:
    train = np.array([[0.0, 1.0], [1.0, 2.0], [1.0, 3.0], [1.0, 4.0], [9.0, 99.0]])
    filled = Neighbours(seed=0, neighbours=2).fit(train).transform(np.array([[0.0, np.nan]]))
    assert filled[0, 1] == (1 + 2 + 3 + 4) / 4


def test_a_neighbour_that_lacks_the_column_is_not_asked() -> None:
    train = np.array([[0.0, np.nan], [1.0, 20.0], [50.0, 30.0]])
    assert Neighbours(seed=0, neighbours=1).fit(train).transform(np.array([[0.0, np.nan]]))[0, 1] == 20.0


def test_a_column_that_no_donor_knows_is_filled_with_the_mean_of_the_training_rows() -> None:
    train = np.column_stack([np.arange(500.0), np.full(500, np.nan)])
    step = Neighbours(seed=0, most=20)
    absent = np.setdiff1d(np.arange(500), step.fit(train).donors_[:, 0].astype(int))[:2]
    train[absent, 1] = [4.0, 8.0]
    assert step.fit(train).transform(np.array([[3.0, np.nan]]))[0, 1] == 6.0


def test_a_row_without_values_is_filled_with_what_is_typical_of_the_donors() -> None:
    train = np.array([[1.0, 10.0], [2.0, 20.0], [6.0, np.nan]])
    filled = Neighbours(seed=0, neighbours=1).fit(train).transform(np.full((1, 2), np.nan))
    assert filled.tolist() == [[3.0, 15.0]]


def test_donors_are_a_bounded_sample_that_the_seed_repeats() -> None:
    _, rows = related(3000, gaps=0.1)
    donors = [Neighbours(seed=seed).fit(rows).donors_ for seed in (1, 1, 2)]
    assert donors[0].shape == (1000, 4)
    np.testing.assert_array_equal(donors[0], donors[1])
    assert not np.array_equal(donors[0], donors[2], equal_nan=True)


def test_equations_find_a_straight_line() -> None:
    x = np.arange(200.0)
    train = np.column_stack([x, 3 * x + 2])
    train[::7, 1] = np.nan
    filled = ChainedEquations(seed=0).fit(train).transform(np.array([[50.0, np.nan], [np.nan, 302.0]]))
    np.testing.assert_allclose(filled, [[50, 152], [100, 302]], rtol=0.01)


def test_equations_solve_several_gaps_of_a_row_together() -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(0, 1, 3000)
    train = np.column_stack([x, x, x]) + draw.normal(0, 0.5, (3000, 3))
    train[draw.random(train.shape) < 0.1] = np.nan
    filled = ChainedEquations(seed=0).fit(train).transform(np.array([[1.0, np.nan, np.nan]]))
    # E[x | one noisy look at it] = 1 / (1 + 0.5 ** 2).
    np.testing.assert_allclose(filled[0, 1:], 0.8, atol=0.05)


@pytest.mark.parametrize("extreme", [1e300, -1e300])
def test_equations_never_answer_outside_what_was_seen(extreme: float) -> None:
    _, rows = related(300, gaps=0.1)
    filled = ChainedEquations(seed=0).fit(rows).transform(np.array([[extreme, np.nan, np.nan, np.nan]]))
    low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
    slack = 1e-9 * (high - low)
    assert ((filled[0, 1:] >= (low - slack)[1:]) & (filled[0, 1:] <= (high + slack)[1:])).all()


def test_a_column_by_itself_is_filled_with_its_mean() -> None:
    train = np.array([[1.0], [2.0], [6.0], [np.nan]])
    for way in ("knn", "iterative"):
        assert imputer(way, seed=0).fit(train).transform(np.array([[np.nan]])).tolist() == [[3.0]]


def test_moments_pass_over_gaps_and_equal_values_have_a_deviation_of_one() -> None:
    mean, scale = moments(np.array([[1.0, 0.1, np.nan], [3.0, 0.1, np.nan], [np.nan, 0.1, np.nan]]))
    np.testing.assert_allclose(mean, [2, 0.1, 0])
    assert scale.tolist() == [1, 1, 1]


def test_a_sample_keeps_the_order_of_the_rows() -> None:
    drawn = sample(np.arange(100), 10, seed=3)
    assert len(set(drawn.tolist())) == 10
    assert drawn.tolist() == sorted(drawn.tolist())
    np.testing.assert_array_equal(sample(np.arange(10), 10, seed=3), np.arange(10))
