"""Imputation: what stands in for a missing number, beyond the median and the mean.

Both ways here are made of sums, products and comparisons alone, taken in one order, so that the graph repeats them.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer

from sluice.domain.features import Imputation

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Mask = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

#: Standardised values end here, so that their squares are finite; nothing real is as far.
FARTHEST = 1e150

#: Rows without a column in common are infinitely far; every other distance is within this one.
COMPARABLE = float(np.finfo(np.float64).max)

#: Receivers whose distances are held at once; the answer does not depend on it.
_AT_ONCE = 256


def imputer(way: Imputation, seed: int) -> Any:
    """The step that fills in, not fitted yet; a column without any value becomes 0.

    Args:
        way: How.
        seed: Of the sample of rows that `knn` and `iterative` learn from.
    """
    if way == "knn":
        return Neighbours(seed=seed)
    if way == "iterative":
        return ChainedEquations(seed=seed)
    return SimpleImputer(strategy=way, keep_empty_features=True)


def sample(rows: Any, most: int, seed: int) -> Any:
    """At most so many of the rows, drawn without replacement and in their order."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))]


def moments(rows: Matrix) -> tuple[Vector, Vector]:
    """Mean and standard deviation of each column's values; 0 where it has none, and 1 where they do not differ."""
    known = ~np.isnan(rows)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, rows, 0.0).sum(axis=0) / count
    deviation = np.sqrt((np.where(known, rows - mean, 0.0) ** 2).sum(axis=0) / count)
    # The deviation of equal values may be rounding; their span is exactly nothing.
    span = np.where(known, rows, -np.inf).max(axis=0) - np.where(known, rows, np.inf).min(axis=0)
    return mean, np.where((span > 0) & (deviation > 0), deviation, 1.0)


class Neighbours(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fills a gap with the mean over the nearest training rows that know the column.

    A distance is the mean squared difference of standardised values, over the columns that both rows know, as in
    scikit-learn's `nan_euclidean_distances`. Every row that is as near as the last neighbour counts too: equal
    distances need no order then. Without any column in common the donors' mean is taken, and in a column that no
    donor knows the mean of the training rows.
    Source: Troyanskaya et al., "Missing value estimation methods for DNA microarrays", 2001.

    Args:
        seed: Of the sample of donors.
        neighbours: How many rows are asked, ties apart.
        most: How many training rows are donors; the graph carries them all.
    """

    def __init__(self, seed: int, neighbours: int = 5, most: int = 1000) -> None:
        self.seed = seed
        self.neighbours = neighbours
        self.most = most

    def fit(self, X: Matrix, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        self.mean_, self.scale_ = moments(X)
        self.donors_ = sample(X, self.most, self.seed)
        return self

    def transform(self, X: Matrix) -> Matrix:  # noqa: N803 - scikit-learn's name
        filled = np.array(X, dtype=np.float64)
        rows = np.flatnonzero(np.isnan(filled).any(axis=1))
        for start in range(0, len(rows), _AT_ONCE):
            part = filled[rows[start : start + _AT_ONCE]]
            filled[rows[start : start + _AT_ONCE]] = np.where(np.isnan(part), self._typical(part), part)
        return filled

    def standard(self, rows: Matrix) -> Matrix:
        """Standardised values, 0 where one is missing."""
        with np.errstate(over="ignore"):
            scaled = (rows - self.mean_) / self.scale_
        return np.clip(np.where(np.isnan(rows), 0.0, scaled), -FARTHEST, FARTHEST)

    def groups(self) -> list[tuple[list[int], Mask]]:
        """Columns that the same donors know, with a mask of those; a gap in any of them has the same neighbours."""
        known, group = np.unique(~np.isnan(self.donors_), axis=1, return_inverse=True)
        return [(np.flatnonzero(group == index).tolist(), known[:, index]) for index in range(known.shape[1])]

    def fallback(self) -> Vector:
        """What fills a gap that no donor is near to."""
        known = ~np.isnan(self.donors_).all(axis=0)
        return np.where(known, moments(self.donors_)[0], self.mean_)

    def _typical(self, rows: Matrix) -> Matrix:
        distance = self._distance(rows)
        typical = np.tile(self.fallback(), (len(rows), 1))
        last = min(self.neighbours, len(self.donors_)) - 1
        for columns, donors in self.groups():
            near = np.where(donors, distance, np.inf)
            reach = np.minimum(np.partition(near, last, axis=1)[:, [last]], COMPARABLE)
            chosen = (near <= reach).astype(np.float64)
            total, count = chosen @ np.nan_to_num(self.donors_[:, columns], nan=0.0), chosen.sum(axis=1, keepdims=True)
            typical[:, columns] = np.divide(total, count, out=typical[:, columns], where=count > 0)
        return typical

    def _distance(self, rows: Matrix) -> Matrix:
        known, theirs = (~np.isnan(rows)).astype(np.float64), (~np.isnan(self.donors_)).astype(np.float64)
        own, others = self.standard(rows), self.standard(self.donors_)
        total = np.zeros((len(rows), len(others)))
        for column in range(rows.shape[1]):
            square = own[:, [column]] - others[:, column]
            square *= square
            square *= known[:, [column]]
            square *= theirs[:, column]
            total += square
        shared = known @ theirs.T
        distance: Matrix = np.divide(total, shared, out=np.full_like(total, np.inf), where=shared > 0)
        return distance


class ChainedEquations(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Fills gaps by linear equations, one for each column out of all others, applied in turn for some rounds.

    Gaps start as means. The equations are ridge regressions on standardised values, learned in the same rounds. They
    see and answer nothing outside the range of the training rows, so that they cannot run away.
    Source: van Buuren and Groothuis-Oudshoorn, "mice: Multivariate Imputation by Chained Equations in R", 2011.

    Args:
        seed: Of the sample of rows that the equations are learned from.
        rounds: How often each equation is applied.
        penalty: Of the ridge regressions.
        most: How many training rows they are learned from.
    """

    def __init__(self, seed: int, rounds: int = 5, penalty: float = 1.0, most: int = 5000) -> None:
        self.seed = seed
        self.rounds = rounds
        self.penalty = penalty
        self.most = most

    def fit(self, X: Matrix, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        self.mean_, self.scale_ = moments(X)
        scaled = (X - self.mean_) / self.scale_
        missing = np.isnan(X)
        # A column without any value stays at its mean.
        self.low_ = np.minimum(np.where(missing, 0.0, scaled).min(axis=0), 0.0)
        self.high_ = np.maximum(np.where(missing, 0.0, scaled).max(axis=0), 0.0)
        self.weights_ = np.zeros((X.shape[1], X.shape[1]))
        self.offsets_ = np.zeros(X.shape[1])
        rows = sample(X, self.most, self.seed)
        missing = np.isnan(rows)
        current = self._started(rows)
        for last in [False] * (self.rounds - 1) + [True]:
            for column in range(X.shape[1]):
                # Until the last round only equations that fill something change what the others see.
                if last or missing[:, column].any():
                    self._learn(column, current, ~missing[:, column])
                    self._apply(column, current, missing[:, column])
        return self

    def transform(self, X: Matrix) -> Matrix:  # noqa: N803 - scikit-learn's name
        missing = np.isnan(X)
        rows = np.flatnonzero(missing.any(axis=1))
        gaps, current = missing[rows], self._started(X[rows])
        for _ in range(self.rounds):
            for column in np.flatnonzero(gaps.any(axis=0)).tolist():
                self._apply(column, current, gaps[:, column])
        filled = np.array(X, dtype=np.float64)
        filled[rows] = np.where(gaps, current * self.scale_ + self.mean_, X[rows])
        return filled

    def _started(self, rows: Matrix) -> Matrix:
        with np.errstate(over="ignore"):
            scaled = (rows - self.mean_) / self.scale_
        return np.clip(np.where(np.isnan(rows), 0.0, scaled), self.low_, self.high_)

    def _learn(self, column: int, current: Matrix, known: Mask) -> None:
        others = np.arange(current.shape[1]) != column
        if not known.any() or not others.any():
            return
        seen, answer = current[known][:, others], current[known, column]
        center = seen.mean(axis=0)
        seen = seen - center
        gram = seen.T @ seen + self.penalty * np.eye(seen.shape[1])
        self.weights_[others, column] = np.linalg.solve(gram, seen.T @ (answer - answer.mean()))
        self.offsets_[column] = answer.mean() - center @ self.weights_[others, column]

    def _apply(self, column: int, current: Matrix, gaps: Mask) -> None:
        guess = current[gaps] @ self.weights_[:, column] + self.offsets_[column]
        current[gaps, column] = np.clip(guess, self.low_[column], self.high_[column])
