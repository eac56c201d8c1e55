"""Learning: how the chosen model does with fewer rows, which says whether more rows would help."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from sluice.adapters.metrics import METRICS
from sluice.domain.measures import Metric, default_metric
from sluice.domain.use_case import UseCase
from sluice.training import families, folds
from sluice.training.candidate import Candidate
from sluice.training.choices import Choices
from sluice.training.search import Attempt
from sluice.training.snapshots import Part

#: Shares of a fold's rows that are fitted on.
SHARES = (0.25, 0.5, 1.0)
#: Most rows used, and the most for which every fold is fitted and not one alone.
MOST_ROWS = 20_000
FEW_ROWS = 3_000
#: Fewest rows a model is fitted on here.
FEWEST_ROWS = 30


@dataclass(frozen=True)
class Point:
    """The scores of one training size.

    Attributes:
        rows: Fitted on, in a fold.
        fitted: The metric on these rows, by fold.
        unseen: The metric on the fold's other rows, by fold.
    """

    rows: int
    fitted: tuple[float, ...]
    unseen: tuple[float, ...]


@dataclass(frozen=True)
class LearningCurve:
    """What more rows are worth.

    Attributes:
        metric: What was measured.
        points: From few rows to many.
    """

    metric: Metric
    points: tuple[Point, ...]


def measure(candidate: Candidate, choices: Choices, best: Attempt) -> LearningCurve:
    """Fit the best attempt on growing shares of the train rows, without calibration.

    Args:
        candidate: Its use case and train rows, of which at most `MOST_ROWS` are used.
        choices: What the train rows decided about the features.
        best: The attempt.
    """
    use_case = candidate.use_case
    metric = default_metric(use_case.task)
    draw = np.random.default_rng(use_case.training.seed)
    part = _taken(candidate.rows.train, np.sort(draw.permutation(len(candidate.rows.train))[:MOST_ROWS]))
    parts = folds.divide(use_case, part, use_case.training.folds, use_case.training.seed)
    if len(part) > FEW_ROWS:
        parts = parts[:1]
    smallest = min(len(p.fit) for p in parts)
    points = []
    with threadpool_limits(limits=1):
        for rows in sorted({int(share * smallest) for share in SHARES}):
            pairs = [_fitted(use_case, part, p, rows, choices, best, metric) for p in parts]
            told = [pair for pair in pairs if pair is not None]
            if len(told) == len(parts):
                points.append(Point(rows, tuple(p[0] for p in told), tuple(p[1] for p in told)))
    return LearningCurve(metric, tuple(points))


def _fitted(
    use_case: UseCase, part: Part, fold: folds.Fold, rows: int, choices: Choices, best: Attempt, metric: Metric
) -> tuple[float, float] | None:
    """The metric on the rows that were fitted and on those that were not; None where the rows are too few."""
    fit = fold.fit[_in_turn(use_case, part.target[fold.fit], use_case.training.seed)[:rows]]
    if not _is_enough(use_case, part.target[fit], choices):
        return None
    model = families.assemble(use_case, best.family, best.parameters, choices)
    model.fit(part.inputs.iloc[fit], part.target[fit])
    own, other = (
        METRICS[metric](part.target[at], families.scores(use_case, model, part.inputs.iloc[at]))
        for at in (fit, fold.score)
    )
    return own, other


def _in_turn(use_case: UseCase, target: np.ndarray[tuple[int], np.dtype[np.float64]], seed: int) -> folds.Indices:
    """An order in which every beginning holds about the same share of each class as the whole."""
    order = np.random.default_rng(seed).permutation(len(target))
    if not use_case.classes:
        return order
    turn = np.empty(len(target))
    for index in range(len(use_case.classes)):
        own = order[target[order] == index]
        turn[own] = (np.arange(len(own)) + 0.5) / max(len(own), 1)
    return np.argsort(turn, kind="stable")


def _is_enough(use_case: UseCase, target: np.ndarray[tuple[int], np.dtype[np.float64]], choices: Choices) -> bool:
    least = max(FEWEST_ROWS, 2 * max(choices.clusters.values(), default=0))
    rarest = min((int(np.sum(target == c)) for c in range(len(use_case.classes))), default=len(target))
    return len(target) >= least and rarest >= use_case.training.folds


def _taken(part: Part, positions: folds.Indices) -> Part:
    return Part(part.inputs.iloc[positions].reset_index(drop=True), part.target[positions], part.identity[positions])
