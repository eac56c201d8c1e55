"""The baseline: what a plain model reaches on some rows, and what one reaches that only knows the shares."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sluice.adapters.metrics import measure
from sluice.domain.measures import HIGHER_IS_BETTER, Task, default_metric
from sluice.ingestion.drafting.design import Design, Floats, thin
from sluice.ingestion.drafting.outcomes import Outcomes

#: Most rows that are fitted on and scored, divided by the number of classes where there are many.
MOST_ROWS = 10_000

#: Under this many rows the folds are drawn three times.
FEW_ROWS = 1_000

#: Columns from which trees look at some of them only, drawn at each split, and grow fewer: wide files take too long.
WIDE = 100

FAMILIES = ("boosting", "linear")


@dataclass(frozen=True)
class Problem:
    """What is predicted.

    Attributes:
        task: What kind.
        classes: How many classes; 0 for a number.
        log: Whether the logarithm is learned.
    """

    task: Task
    classes: int = 0
    log: bool = False


@dataclass(frozen=True)
class Baseline:
    """How well a plain model does out of folds.

    Attributes:
        family: The better one of `FAMILIES`.
        mean: Each metric, on average over the folds.
        deviation: Its standard deviation over the folds.
        chance: The same for a model that answers with the mean, or with the classes' shares.
        outcomes: Of each row that was scored, once.
    """

    family: str
    mean: dict[str, float]
    deviation: dict[str, float]
    chance: dict[str, float]
    outcomes: Outcomes = field(repr=False, compare=False)

    def skill(self, metric: str) -> float:
        """How far from chance to perfection the model comes; below 0 it is worse than chance."""
        ideal = 1.0 if metric in HIGHER_IS_BETTER else 0.0
        span = ideal - self.chance[metric]
        return (self.mean[metric] - self.chance[metric]) / span if span else 0.0


def reach(
    design: Design,
    observed: Floats,
    problem: Problem,
    families: tuple[str, ...] = FAMILIES,
    folds: int = 5,
    most: int = MOST_ROWS,
) -> Baseline:
    """Cross-validate plain models, rows of one group together.

    Args:
        design: The rows.
        observed: Shape (rows,), a number or a class's position; none missing.
        problem: What is predicted.
        families: Which models to try.
        folds: At most so many; fewer where a class has fewer groups.
        most: Rows to use at most.
    """
    rows = _thinned(len(design), problem, most)
    design, observed = design.take(rows), observed[rows]
    divided = _folds(design, observed, problem, folds)
    chance = _table([_chance(observed, fit, score, problem) for fit, score in divided])
    said = {name: [_said(name, design, observed, fit, score, problem) for fit, score in divided] for name in families}
    scored = [score for _, score in divided]
    found = {name: _table(_measured(problem, observed, scored, by_fold)) for name, by_fold in said.items()}
    metric = default_metric(problem.task)
    best = min(found, key=lambda name: (_mean(found[name])[metric], name))
    return Baseline(
        best,
        _mean(found[best]),
        {name: float(np.nanstd(values)) for name, values in found[best].items()},
        _mean(chance),
        _outcomes(design, observed, scored, said[best]),
    )


def model(family: str, design: Design, problem: Problem, rows: int) -> Any:
    """A plain estimator for so many rows, not fitted yet."""
    if family == "boosting":
        width = len(design.names)
        kind = HistGradientBoostingClassifier if problem.classes else HistGradientBoostingRegressor
        return kind(
            max_iter=100 if width <= WIDE else 50,
            max_features=min(1.0, WIDE / width),
            max_leaf_nodes=31 if rows >= FEW_ROWS else 8,
            min_samples_leaf=20 if rows >= FEW_ROWS else 5,
            categorical_features=design.are_categories,
            early_stopping=False,
            random_state=0,
        )
    estimator = LogisticRegression(max_iter=1000) if problem.classes else Ridge()
    words = np.flatnonzero(design.are_categories)
    numbers = np.flatnonzero(~design.are_categories)
    return Pipeline(
        [
            (
                "columns",
                ColumnTransformer(
                    [
                        ("numbers", Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())]), numbers),
                        ("words", OneHotEncoder(handle_unknown="ignore"), words),
                    ]
                ),
            ),
            ("estimator", estimator),
        ]
    )


def answers(fitted: Any, design: Design, problem: Problem) -> Floats:
    """What a fitted model says: numbers in the target's unit, or probabilities of all classes."""
    if not problem.classes:
        said = np.asarray(fitted.predict(design.matrix), dtype=np.float64)
        return np.expm1(said) if problem.log else said
    shares = np.zeros((len(design), problem.classes))
    shares[:, fitted.classes_.astype(int)] = fitted.predict_proba(design.matrix)
    return shares


def _thinned(rows: int, problem: Problem, most: int) -> NDArray[Any]:
    return thin(rows, max(2_000, most // max(1, problem.classes - 1)))


def _folds(design: Design, observed: Floats, problem: Problem, folds: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    repeats = range(3 if len(design) < FEW_ROWS else 1)
    groups = len(np.unique(design.groups))
    if not problem.classes:
        count = max(2, min(folds, groups))
        splitters = [GroupKFold(count, shuffle=True, random_state=seed) for seed in repeats]
    else:
        rarest = min(len(np.unique(design.groups[observed == c])) for c in np.unique(observed))
        splitters = [StratifiedGroupKFold(max(2, min(folds, rarest)), shuffle=True, random_state=s) for s in repeats]
    with warnings.catch_warnings():
        # A class with fewer rows than folds is missing from some of them, which the means take into account.
        warnings.simplefilter("ignore")
        return [pair for s in splitters for pair in s.split(design.matrix, observed, design.groups)]


def _said(
    family: str, design: Design, observed: Floats, fit: NDArray[Any], score: NDArray[Any], problem: Problem
) -> Floats:
    estimator = model(family, design, problem, len(fit))
    learned = np.log1p(observed[fit]) if problem.log else observed[fit]
    with warnings.catch_warnings():
        # A plain model that has not quite converged still says what a plain model reaches.
        warnings.simplefilter("ignore")
        estimator.fit(design.matrix[fit], learned)
        return answers(estimator, design.take(score), problem)


def _measured(
    problem: Problem, observed: Floats, scored: list[NDArray[Any]], said: list[Floats]
) -> list[dict[str, float]]:
    return [measure(problem.task, observed[rows], each) for rows, each in zip(scored, said, strict=True)]


def _outcomes(design: Design, observed: Floats, scored: list[NDArray[Any]], said: list[Floats]) -> Outcomes:
    """Each row once: where folds are drawn more than once, as the last of them had it."""
    whole = np.empty((len(observed), *said[0].shape[1:]))
    for rows, each in zip(scored, said, strict=True):
        whole[rows] = each
    return Outcomes(observed, whole, design.groups)


def _chance(observed: Floats, fit: NDArray[Any], score: NDArray[Any], problem: Problem) -> dict[str, float]:
    if not problem.classes:
        return measure(problem.task, observed[score], np.full(len(score), observed[fit].mean()))
    shares = np.bincount(observed[fit].astype(int), minlength=problem.classes) / len(fit)
    return measure(problem.task, observed[score], np.tile(shares, (len(score), 1)))


def _table(rows: list[dict[str, float]]) -> dict[str, Floats]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _mean(table: dict[str, Floats]) -> dict[str, float]:
    known = {name: values[~np.isnan(values)] for name, values in table.items()}
    return {name: float(values.mean()) if len(values) else float("nan") for name, values in known.items()}
