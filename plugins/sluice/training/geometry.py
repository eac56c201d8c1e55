"""Geometry: features made of where a row lies, along turned axes and between clusters."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from sluice.training.imputation import FARTHEST, Matrix, Vector, moments, sample

#: Clusters are found among at most so many training rows.
MOST_POINTS = 5000


class Rotations(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Appends first * cos(angle) + second * sin(angle) for each pair of columns and each of its angles.

    Coordinates beyond `imputation.FARTHEST` count as being there, so that the sum is finite.

    Args:
        turns: Positions of the first and the second column, and the angles in degrees.
    """

    def __init__(self, turns: list[tuple[int, int, list[float]]]) -> None:
        self.turns = turns

    def fit(self, X: Matrix, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        return self

    def transform(self, X: Matrix) -> Matrix:  # noqa: N803 - scikit-learn's name
        bounded = np.clip(X, -FARTHEST, FARTHEST)
        turned = [
            bounded[:, first] * cosine + bounded[:, second] * sine
            for first, second, degrees in self.turns
            for cosine, sine in map(direction, degrees)
        ]
        return np.column_stack([X, *turned])

    def __sklearn_is_fitted__(self) -> bool:
        return True


class ClusterDistances(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Appends the distance to the centre of each cluster that k-means finds in some standardised columns.

    Where the columns hold fewer different points than k, each point is a cluster.

    Args:
        clusters: Positions of the columns, and k.
        seed: Of k-means, and of the sample of rows it sees.
    """

    def __init__(self, clusters: list[tuple[list[int], int]], seed: int) -> None:
        self.clusters = clusters
        self.seed = seed

    def fit(self, X: Matrix, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        self.means_, self.scales_, self.centres_ = [], [], []
        for columns, k in self.clusters:
            mean, scale = moments(X[:, columns])
            points = standard(sample(X[:, columns], MOST_POINTS, self.seed), mean, scale)
            self.means_.append(mean)
            self.scales_.append(scale)
            self.centres_.append(partition(points, k, self.seed).cluster_centers_)
        return self

    def transform(self, X: Matrix) -> Matrix:  # noqa: N803 - scikit-learn's name
        parts = [X]
        for (columns, _), mean, scale, centres in zip(
            self.clusters, self.means_, self.scales_, self.centres_, strict=True
        ):
            points = standard(X[:, columns], mean, scale)
            total = np.zeros((len(X), len(centres)))
            for axis in range(len(columns)):
                total += (points[:, [axis]] - centres[:, axis]) ** 2
            parts.append(np.sqrt(total))
        return np.column_stack(parts)


def direction(degrees: float) -> tuple[float, float]:
    """Cosine and sine of an angle."""
    angle = np.deg2rad(degrees)
    return float(np.cos(angle)), float(np.sin(angle))


def standard(points: Matrix, mean: Vector, scale: Vector) -> Matrix:
    """Standardised points."""
    with np.errstate(over="ignore"):
        return np.clip((points - mean) / scale, -FARTHEST, FARTHEST)


def partition(points: Matrix, k: int, seed: int) -> KMeans:
    """Points divided into k clusters, or as many as there are different points; fitted."""
    different = len(np.unique(points, axis=0))
    # Several threads would add up in whatever order they end, and the same training give other bytes.
    with threadpool_limits(limits=1):
        return KMeans(min(k, different), n_init=3, random_state=seed).fit(points)
