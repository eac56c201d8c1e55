from __future__ import annotations

import numpy as np

from sluice.training.geometry import ClusterDistances, Rotations
from sluice.training.imputation import Matrix


def blobs(count: int = 300) -> Matrix:
    """Three heaps of points, far apart, in columns of very different size."""
    draw = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10_000.0]])
    return np.repeat(centres, count // 3, axis=0) + draw.normal(0, 1, (count, 2)) * [0.1, 100]


def test_a_rotation_by_nothing_is_the_first_column_and_by_a_right_angle_the_second() -> None:
    rows = np.array([[3.0, 4.0, 7.0], [1.0, -1.0, 7.0]])
    made = Rotations([(0, 1, [0.0, 90.0, 45.0])]).fit(rows).transform(rows)
    np.testing.assert_array_equal(made[:, :3], rows)
    np.testing.assert_allclose(made[:, 3:], [[3, 4, 7 / 2**0.5], [1, -1, 0]], atol=1e-12)


def test_each_pair_of_columns_is_turned_by_its_own_angles() -> None:
    rows = np.array([[3.0, 4.0, 7.0]])
    made = Rotations([(2, 0, [0.0]), (1, 0, [0.0, 180.0])]).fit(rows).transform(rows)
    np.testing.assert_allclose(made[0, 3:], [7, 4, -4])


def test_a_point_is_near_one_centre_and_far_from_the_others() -> None:
    rows = blobs()
    made = ClusterDistances([([0, 1], 3)], seed=1).fit(rows).transform(rows)[:, 2:]
    nearest = made.argmin(axis=1).reshape(3, -1)
    assert sorted(nearest[:, 0]) == [0, 1, 2]
    assert (nearest == nearest[:, [0]]).all()
    # In standard deviations, so that the second column's size does not drown the first's.
    own, others = np.sort(made, axis=1)[:, 0], np.sort(made, axis=1)[:, 1]
    assert own.max() < 0.2
    assert 1 < others.min() < others.max() < 4


def test_distances_are_the_same_again_under_the_same_seed() -> None:
    rows = np.random.default_rng(0).normal(0, 1, (6000, 2))
    made = [ClusterDistances([([0, 1], 8)], seed=5).fit(rows).transform(rows) for _ in range(2)]
    np.testing.assert_array_equal(*made)


def test_fewer_points_than_clusters_are_a_cluster_each() -> None:
    rows = np.array([[1.0], [2.0], [2.0], [4.0]])
    made = ClusterDistances([([0], 5)], seed=0).fit(rows).transform(rows)
    assert made.shape == (4, 1 + 3)
    assert (made[:, 1:].min(axis=1) == 0).all()


def test_a_distance_is_a_number_however_far_the_point_is() -> None:
    made = ClusterDistances([([0, 1], 3)], seed=1).fit(blobs()).transform(np.array([[1e300, -1e300]]))
    assert np.isfinite(made).all()
