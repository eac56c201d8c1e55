"""Features: from raw rows to what an estimator sees, as scikit-learn steps that the graph writer knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice.adapters.bundles import doubles, texts
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

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
        raw = [doubles(X[name]) for name in self.columns]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            ratios = [raw[numerator] / raw[denominator] for numerator, denominator in self.ratios]
        return np.column_stack(raw + [np.where(np.isfinite(ratio), ratio, np.nan) for ratio in ratios])


class Categories(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Categories as strings with "" for missing.

    Args:
        columns: Names of the columns.
    """

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803 - scikit-learn's name
        return self

    def transform(self, X: pd.DataFrame) -> Matrix:  # noqa: N803 - scikit-learn's name
        return np.column_stack([texts(X[name]) for name in self.columns])


def pipeline(use_case: UseCase, scale: bool) -> ColumnTransformer:
    """The steps between raw inputs and an estimator, not fitted yet.

    Every number is imputed, for all families alike: on the public housing data gradient boosting gains
    nothing from seeing the gaps.

    Args:
        use_case: Declares the inputs and the features.
        scale: Whether the estimator needs numbers of one size; the spec may still say no.
    """
    declared = use_case.features
    numeric = [column.name for column in use_case.inputs if column.type != "category"]
    words = {column.name: list(column.categories or ()) for column in use_case.inputs if column.type == "category"}
    branches = []
    if numeric:
        ratios = [(numeric.index(r.numerator), numeric.index(r.denominator)) for r in declared.ratios]
        steps = [
            ("read", Numbers(numeric, ratios)),
            ("impute", SimpleImputer(strategy=declared.impute, keep_empty_features=True)),
        ]
        if scale and declared.scale:
            steps.append(("scale", StandardScaler()))
        branches.append(("numbers", Pipeline(steps), numeric))
    if words:
        # Unseen and missing categories are left out; whether a caller may send one is the endpoint's policy.
        encoder = OneHotEncoder(categories=list(words.values()), handle_unknown="ignore", sparse_output=False)
        branches.append(("words", Pipeline([("read", Categories(list(words))), ("encode", encoder)]), list(words)))
    return ColumnTransformer(branches, sparse_threshold=0)
