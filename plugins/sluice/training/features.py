"""Features: from raw rows to what an estimator sees, as scikit-learn steps that the graph writer knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice.adapters.graphs import doubles, texts
from sluice.domain.use_case import UseCase
from sluice.training.geometry import ClusterDistances, Rotations
from sluice.training.imputation import imputer

if TYPE_CHECKING:
    import pandas as pd

    from sluice.training.choices import Choices

Matrix = np.ndarray[tuple[int, int], np.dtype[Any]]


class Numbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers, integers and booleans as doubles with NaN for missing, followed by ratios of them.

    A ratio is made from the raw columns, before anything is imputed: a ratio with an imputed half would be a
    number that no row has, while a missing one is imputed by the ratio that is typical.

    Args:
        columns: Names of the columns.
        ratios: Pairs of positions in `columns`, numerator and denominator. An infinite ratio is missing.
    """

    def __init__(self, columns: list[str], ratios: list[tuple[int, int]]) -> None:
        self.columns = columns
        self.ratios = ratios

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        return self

    def transform(self, X: pd.DataFrame) -> Matrix:  # noqa: N803 - scikit-learn's name
        return self.with_ratios(np.column_stack([doubles(X[name]) for name in self.columns]))

    def with_ratios(self, raw: Matrix) -> Matrix:
        """The columns as doubles, followed by the ratios."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            ratios = [raw[:, numerator] / raw[:, denominator] for numerator, denominator in self.ratios]
        return np.column_stack([raw] + [np.where(np.isfinite(ratio), ratio, np.nan) for ratio in ratios])


class Categories(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Categories as strings with "" for missing.

    Args:
        columns: Names of the columns.
        categories: The declared categories of each column.
        replace: Whether one that is missing, or that no training row has, becomes the most frequent one.
    """

    def __init__(self, columns: list[str], categories: list[list[str]], replace: bool) -> None:
        self.columns = columns
        self.categories = categories
        self.replace = replace

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        self.known_, self.frequent_ = [], []
        for column, declared in zip(self._read(X).T, self.categories, strict=True):
            counts = [int(np.sum(column == category)) for category in declared]
            self.known_.append([category for category, count in zip(declared, counts, strict=True) if count])
            self.frequent_.append(declared[int(np.argmax(counts))])
        return self

    def transform(self, X: pd.DataFrame) -> Matrix:  # noqa: N803 - scikit-learn's name
        read = self._read(X)
        if self.replace:
            for position, (known, frequent) in enumerate(zip(self.known_, self.frequent_, strict=True)):
                read[~np.isin(read[:, position], known), position] = frequent
        return read

    def _read(self, rows: pd.DataFrame) -> Matrix:
        return np.column_stack([texts(rows[name]) for name in self.columns])


def numbers(use_case: UseCase) -> Numbers | None:
    """The step that reads the numbers and makes the ratios; none where every input is a category."""
    names = [column.name for column in use_case.inputs if column.type != "category"]
    ratios = [(names.index(r.numerator), names.index(r.denominator)) for r in use_case.features.ratios]
    return Numbers(names, ratios) if names else None


def pipeline(use_case: UseCase, choices: Choices, scale: bool) -> ColumnTransformer:
    """The steps between raw inputs and an estimator, not fitted yet.

    Every number is imputed, for all families alike: on the public housing data gradient boosting gains
    nothing from seeing the gaps.

    Args:
        use_case: Declares the inputs and the features.
        choices: What the training rows decided about them.
        scale: Whether the estimator needs numbers of one size; the spec may still say no.
    """
    declared, seed = use_case.features, use_case.training.seed
    branches = []
    reader = numbers(use_case)
    if reader is not None:
        place = reader.columns.index
        steps = [("read", reader), ("impute", imputer(choices.impute, seed))]
        if declared.rotations:
            turns = [(place(r.columns[0]), place(r.columns[1]), list(r.degrees)) for r in declared.rotations]
            steps.append(("rotate", Rotations(turns)))
        if declared.clusters:
            clusters = [(list(map(place, c.columns)), choices.clusters[c.name]) for c in declared.clusters]
            steps.append(("cluster", ClusterDistances(clusters, seed)))
        if scale and declared.scale:
            steps.append(("scale", StandardScaler()))
        branches.append(("numbers", Pipeline(steps), reader.columns))
    words = {column.name: list(column.categories or ()) for column in use_case.inputs if column.type == "category"}
    if words:
        # Where the policy is to refuse, the endpoint does so; the graph leaves out what it does not know.
        read = Categories(list(words), list(words.values()), declared.unseen_category == "most_frequent")
        encoder = OneHotEncoder(categories=list(words.values()), handle_unknown="ignore", sparse_output=False)
        branches.append(("words", Pipeline([("read", read), ("encode", encoder)]), list(words)))
    return ColumnTransformer(branches, sparse_threshold=0)
