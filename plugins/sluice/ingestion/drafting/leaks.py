"""Leaks: columns that give the target away, because they were made from it or after it."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.stats import spearmanr
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sluice.adapters.metrics import measure, roc_auc
from sluice.ingestion.drafting.baseline import Problem
from sluice.ingestion.drafting.design import Design, Floats, thin

#: How well one column alone may predict before it is taken for a leak: ROC AUC of classes, r2 of numbers.
MOST = 0.999

#: Rank correlation from which a column is the target in another unit.
SAME_ORDER = 0.9995

#: Most rows looked at, and fewest different ones that are worth it.
MOST_ROWS = 10_000
FEWEST_ROWS = 100


def find(design: Design, observed: Floats, problem: Problem) -> dict[str, float]:
    """The columns that alone predict the target almost perfectly, with how well.

    Args:
        design: The rows.
        observed: Shape (rows,), a number or a class's position; none missing.
        problem: What is predicted.
    """
    # A row that is there twice would be recognised, whatever its columns say.
    _, different = np.unique(np.column_stack([design.groups, observed]), axis=0, return_index=True)
    if len(different) >= FEWEST_ROWS:
        design, observed = design.take(different), observed[different]
    rows = thin(len(design), MOST_ROWS)
    design, observed = design.take(rows), observed[rows]
    alone = {name: _alone(design.matrix[:, i], observed, problem) for i, name in enumerate(design.names)}
    return {name: value for name, value in alone.items() if value > MOST}


def _alone(values: Floats, observed: Floats, problem: Problem) -> float:
    # In the file's own order, neighbours are often alike.
    if problem.classes:
        if problem.classes == 2 and _divides(values, observed):
            return 1.0
        tree, folds = DecisionTreeClassifier(max_leaf_nodes=256, random_state=0), StratifiedKFold
    else:
        if _same_order(values, observed):
            return 1.0
        tree, folds = DecisionTreeRegressor(max_leaf_nodes=1024, random_state=0), KFold
    with warnings.catch_warnings():
        # Rare classes are told of elsewhere.
        warnings.simplefilter("ignore")
        said = cross_val_predict(
            tree,
            values.reshape(-1, 1),
            observed,
            cv=folds(3, shuffle=True, random_state=0),
            method="predict_proba" if problem.classes else "predict",
        )
    return measure(problem.task, observed, said)["roc_auc" if problem.classes else "r2"]


def _divides(values: Floats, observed: Floats) -> bool:
    """Whether one cut of a column has nearly all rows of a class on its one side."""
    known = ~np.isnan(values)
    if known.sum() < 0.5 * len(values) or len(np.unique(observed[known])) < 2:
        return False
    found = roc_auc(observed[known], np.column_stack([-values[known], values[known]]))
    return max(found, 1 - found) > MOST


def _same_order(values: Floats, observed: Floats) -> bool:
    known = ~np.isnan(values)
    if known.sum() < 0.5 * len(values) or len(np.unique(values[known])) < 3:
        return False
    rho = float(spearmanr(values[known], observed[known]).statistic)
    return abs(rho) > SAME_ORDER
