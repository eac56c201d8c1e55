"""Leaks: what is too good to be true, because the answer is among the inputs or the row was seen before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.adapters.intervals import beside, draws, percentile, wilson
from sluice.adapters.metrics import Scores, Vector
from sluice.domain.columns import Column
from sluice.domain.evidence import Check, bounded
from sluice.domain.figures import plain
from sluice.domain.measures import TITLES
from sluice.domain.use_case import UseCase
from sluice.gate.answers import Answered
from sluice.gate.strength import metric_of, strength

if TYPE_CHECKING:
    import pandas as pd

#: Fewer held-out rows are told apart perfectly by many an honest model.
FEWEST_ROWS = 100
#: Most rows of either part that a model of one input sees.
MOST_ROWS = 5_000
#: Leaves of the tree that is such a model: enough to follow a number closely.
LEAVES = 256


def judge(use_case: UseCase, train: Answered, test: Answered) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Judge whether a candidate knows what it cannot know.

    Args:
        use_case: Its policy.
        train: Rows to train on.
        test: Held-out rows, with what the candidate says of them.

    Returns:
        Checks `leak.score`, `leak.alone` where there are inputs beside another, and `leak.repeated_rows`; and a note
        where the held-out rows are too few to suspect a perfect model.
    """
    repeated = _repeated(use_case, test.rows)
    if len(test) < FEWEST_ROWS:
        note = f"{plain(len(test))} held-out rows are too few to suspect a model that is right about all of them"
        return (repeated,), (note,)
    alone = [_alone(use_case, train, test)] if len(use_case.inputs) > 1 else []
    return (_score(use_case, test), *alone, repeated), ()


def _score(use_case: UseCase, test: Answered) -> Check:
    metric = metric_of(use_case)
    value = strength(use_case, test.actual, test.scores)
    what = f"{TITLES[metric]} on held-out rows, which suggests a leak when nearly perfect,"
    check = bounded("leak.score", value, what, maximum=use_case.gate.leaks.max_score)
    return beside(check, percentile(draws([metric], test.actual, test.scores, use_case.training.seed)[metric]))


def _alone(use_case: UseCase, train: Answered, test: Answered) -> Check:
    """One check for all inputs, which names the one that tells most by itself."""
    most, metric, seed = use_case.gate.leaks.max_alone, metric_of(use_case), use_case.training.seed
    learn, ask = (_thinned(part, seed) for part in (train, test))
    told = {column.name: alone(use_case, column, learn, ask) for column in use_case.inputs}
    found = {name: strength(use_case, *each) for name, each in told.items()}
    name = max(found, key=lambda each: found[each])
    what = f"{TITLES[metric]} that {name!r} reaches by itself, the most of all inputs,"
    check = bounded("leak.alone", found[name], what, maximum=most)
    others = [repr(each) for each, value in found.items() if value > most and each != name]
    if others:
        message = f"{check.message}; more than is allowed is also reached by {', '.join(others)}"
        check = check.model_copy(update={"message": message})
    return beside(check, percentile(draws([metric], *told[name], seed)[metric]))


def _thinned(part: Answered, seed: int) -> Answered:
    if len(part) <= MOST_ROWS:
        return part
    drawn = np.sort(np.random.default_rng(seed).choice(len(part), MOST_ROWS, replace=False))
    return Answered(part.rows.iloc[drawn], part.actual[drawn], part.scores[drawn])


def alone(use_case: UseCase, column: Column, train: Answered, test: Answered) -> tuple[Vector, Scores]:
    """What one input by itself tells of held-out rows.

    The model is a decision tree that learns on the rows to train on; of numbers it is a straight line where that does
    better, which follows a number in another unit however few rows there are. It is asked about all rows, and about
    those alone that have the input where they are most of them, because a leak may have gaps.

    Args:
        use_case: Its task.
        column: The input.
        train: Rows to learn from.
        test: Rows to tell.

    Returns:
        What was observed of the rows it is asked about, and what it says of them: where it does best.
    """
    learn, ask = (numbers(column, part.rows[column.name]) for part in (train, test))
    said = [_tree(use_case, learn, train.actual, ask)]
    if not use_case.classes:
        said.append(_line(learn, train.actual, ask))
    told = [(test.actual, each) for each in said]
    known = ~np.isnan(ask)
    if len(known) / 2 < known.sum() < len(known):
        told += [(test.actual[known], each[known]) for each in said]
    return max(told, key=lambda each: np.nan_to_num(strength(use_case, *each), nan=-np.inf))


def numbers(column: Column, values: pd.Series[Any]) -> Vector:
    """A column's values as numbers, a category by its position; NaN where one is missing."""
    if column.type != "category":
        return values.to_numpy(dtype=np.float64, na_value=np.nan)
    positions = {name: float(position) for position, name in enumerate(column.categories or ())}
    found: Vector = np.asarray(values.map(positions).to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    return found


def _tree(use_case: UseCase, learn: Vector, actual: Vector, ask: Vector) -> Scores:
    # Local: scikit-learn's trees take a while to import.
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    # By rank, because trees see single precision, in which long numbers are alike.
    known = np.unique(learn[~np.isnan(learn)])
    learn, ask = _ranks(known, learn), _ranks(known, ask)
    settings = {"max_leaf_nodes": LEAVES, "min_samples_leaf": 2, "random_state": use_case.training.seed}
    said: Scores
    if not use_case.classes:
        said = DecisionTreeRegressor(**settings).fit(learn[:, None], actual).predict(ask[:, None])
        return said
    tree = DecisionTreeClassifier(**settings).fit(learn[:, None], actual)
    said = np.zeros((len(ask), len(use_case.classes)))
    said[:, tree.classes_.astype(int)] = tree.predict_proba(ask[:, None])
    return said


def _line(learn: Vector, actual: Vector, ask: Vector) -> Vector:
    """A straight line through the rows that have the input, and the mean for those that lack it."""
    known = np.isfinite(learn)
    centre, middle = (learn[known].mean(), actual[known].mean()) if known.any() else (0.0, actual.mean())
    offsets = learn[known] - centre
    moment = float(np.sum(offsets**2))
    slope = float(np.sum(offsets * (actual[known] - middle))) / moment if moment > 0 else 0.0
    said: Vector = middle + slope * (np.where(np.isfinite(ask), ask, centre) - centre)
    return said


def _ranks(known: Vector, values: Vector) -> Vector:
    """Where values stand among known ones, halfway where they lie between two; NaN stays."""
    ranks: Vector = (np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")) / 2
    return np.where(np.isnan(values), np.nan, ranks)


def _repeated(use_case: UseCase, rows: pd.DataFrame) -> Check:
    repeated = int(rows["_repeated"].sum())
    what = f"the share of the {plain(len(rows))} held-out rows whose inputs are all those of a row to train on"
    check = bounded("leak.repeated_rows", repeated / len(rows), what, maximum=use_case.gate.leaks.max_repeated)
    check = beside(check, wilson(repeated, len(rows)))
    if check.verdict == "pass":
        return check
    advice = "keep equal rows together by an identity of all inputs, or allow it by gate.leaks.max_repeated"
    return check.model_copy(update={"message": f"{check.message}; {advice}"})
