"""Leverage: which hyper-parameters of the best's family moved the score, as far as its trials tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from sluice.domain.search import Family, Span
from sluice.domain.use_case import UseCase
from sluice.training.search import Attempt, SearchResult

#: From so many complete trials on the variance is divided; from so many on ranks are compared.
ENOUGH_FOR_VARIANCE = 10
ENOUGH_FOR_RANKS = 5

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class Leverage:
    """What hyper-parameters did to the score.

    Attributes:
        trials: Complete trials of the family.
        method: `fanova`: shares of the variance that sum to 1; `rank_correlation`: 0 to 1 each.
        shares: Of each hyper-parameter that varied; none where the trials are too few to tell.
    """

    trials: int
    method: Literal["fanova", "rank_correlation"]
    shares: dict[str, float]


@dataclass(frozen=True)
class Positions:
    """A hyper-parameter's values on an upright from 0 to 1.

    Attributes:
        heights: One for each attempt.
        marks: Heights and the values they stand for.
    """

    heights: tuple[float, ...]
    marks: tuple[tuple[float, str], ...]


def measure(use_case: UseCase, result: SearchResult) -> Leverage:
    """How much each hyper-parameter of the best's family mattered over its complete trials.

    Source: Hutter, Hoos, Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.

    Args:
        use_case: Says which hyper-parameters are searched by their logarithm, and the seed.
        result: Whose attempts are looked at.
    """
    family = result.best.family
    own = [a for a in result.attempts if a.family == family and a.state == "complete"]
    names = [name for name in sorted(result.best.parameters) if varies(own, name)]
    scores = _tamed(np.array([a.mean for a in own]))
    method: Literal["fanova", "rank_correlation"] = "fanova" if len(own) >= ENOUGH_FOR_VARIANCE else "rank_correlation"
    if len(own) < ENOUGH_FOR_RANKS or not names or not np.ptp(scores):
        return Leverage(len(own), method, {})
    columns = {name: positions(use_case, family, own, name) for name in names}
    if method == "rank_correlation":
        return Leverage(len(own), method, {name: _correlation(c.heights, scores) for name, c in columns.items()})
    return Leverage(len(own), method, _variance(own, columns, scores, use_case.training.seed))


def varies(attempts: Sequence[Attempt], name: str) -> bool:
    """Whether every attempt has the hyper-parameter, and not all the same value of it."""
    return all(name in a.parameters for a in attempts) and len({a.parameters[name] for a in attempts}) > 1


def positions(use_case: UseCase, family: Family, attempts: Sequence[Attempt], name: str) -> Positions:
    """Where each attempt's value lies between the smallest and the largest that was tried."""
    values = [a.parameters[name] for a in attempts]
    if any(isinstance(v, str) for v in values):
        kinds = sorted({str(v) for v in values})
        at = {kind: index / (len(kinds) - 1) for index, kind in enumerate(kinds)}
        return Positions(tuple(at[str(v)] for v in values), tuple((height, kind) for kind, height in at.items()))
    numbers = np.array(values, dtype=np.float64)
    scaled = np.log(numbers) if _is_logarithmic(use_case, family, name) else numbers
    heights = (scaled - scaled.min()) / np.ptp(scaled)
    return Positions(tuple(heights.tolist()), ((0.0, f"{numbers.min():.4g}"), (1.0, f"{numbers.max():.4g}")))


def _is_logarithmic(use_case: UseCase, family: Family, name: str) -> bool:
    space = use_case.training.families.get(family, {}).get(name)
    return isinstance(space, Span) and space.log


def _tamed(scores: Vector) -> Vector:
    """One proposal that overflowed would be all the variance there is."""
    low, high = np.percentile(scores, [25, 75])
    return np.clip(scores, low - 3 * (high - low), high + 3 * (high - low))


def _variance(
    attempts: Sequence[Attempt], columns: dict[str, Positions], scores: Vector, seed: int
) -> dict[str, float]:
    study = optuna.create_study()
    for index, attempt in enumerate(attempts):
        values: dict[str, float | str] = {}
        spaces: dict[str, BaseDistribution] = {}
        for name, column in columns.items():
            value = attempt.parameters[name]
            if isinstance(value, str):
                values[name], spaces[name] = value, CategoricalDistribution([kind for _, kind in column.marks])
            else:
                values[name], spaces[name] = column.heights[index], FloatDistribution(0, 1)
        study.add_trial(optuna.trial.create_trial(params=values, distributions=spaces, value=float(scores[index])))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=list(columns))
    return {name: float(share) for name, share in found.items()}


def _correlation(heights: Sequence[float], scores: Vector) -> float:
    """Spearman's, without its sign."""
    return abs(float(np.corrcoef(_ranks(np.array(heights)), _ranks(scores))[0, 1]))


def _ranks(values: Vector) -> Vector:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Vector = ends - (counts - 1) / 2
    return middles[inverse]
