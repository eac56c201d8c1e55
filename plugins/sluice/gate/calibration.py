"""Calibration: whether a model is as sure as it is right, and whether its intervals hold what they promise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sluice.adapters.groups import Mask
from sluice.adapters.intervals import CONFIDENCE, RESAMPLES, beside, percentile, wilson
from sluice.adapters.metrics import Scores, Vector, chosen
from sluice.adapters.resamples import weights
from sluice.domain.contract import Contract, Interval, PredictionSet
from sluice.domain.evidence import Check, bounded
from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase

#: Most bins that probabilities are compared with frequencies in, and fewest rows of one.
MOST_BINS = 15
ROWS_OF_A_BIN = 50


def judge(
    use_case: UseCase, contract: Contract, actual: Vector, scores: Scores
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Judge what a candidate says about its own certainty.

    Args:
        use_case: Its policy.
        contract: The interval or the prediction set that the candidate promises its callers.
        actual: Shape (rows,), what was observed.
        scores: What the candidate says of the rows.

    Returns:
        Checks `calibration.error` for classes and `coverage`, and a note where nothing is promised to be covered.
    """
    checks = [_error(use_case, actual, scores)] if use_case.classes else []
    promised = contract.prediction_set if use_case.classes else contract.interval
    if promised is None:
        kind = "prediction set" if use_case.classes else "interval"
        return tuple(checks), (f"the candidate promises no {kind}, so there is no coverage to judge",)
    return (*checks, _coverage(use_case, promised, actual, scores)), ()


def _error(use_case: UseCase, actual: Vector, scores: Scores) -> Check:
    binned = _binned(actual, scores)
    generator = np.random.default_rng(use_case.training.seed)
    drawn = np.concatenate([binned.errors(block) for block in weights(len(actual), RESAMPLES, generator)])
    [value] = binned.errors(np.ones((1, len(actual))))
    what = "the calibration error, how far probabilities lie from frequencies on average,"
    check = bounded("calibration.error", float(value), what, maximum=use_case.gate.calibration.max_error)
    return beside(check, percentile(drawn))


@dataclass(frozen=True)
class _Binned:
    """Rows by how sure the model is of them.

    Attributes:
        gaps: Shape (rows, bins), in each row's own bin how much surer the model is than it is right.
    """

    gaps: np.ndarray[tuple[int, int], np.dtype[np.float64]]

    def errors(self, drawn: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Vector:
        """The expected calibration error of resamples, shape (resamples,)."""
        answer: Vector = np.abs(drawn @ self.gaps).sum(axis=1) / drawn.sum(axis=1)
        return answer


def _binned(actual: Vector, scores: Scores) -> _Binned:
    """Bins of as many rows each, so that rare probabilities are not judged by a handful.

    Of two classes the positive one's probability is looked at, of more the chosen one's. Rows of the same probability
    share a bin.
    Source: Naeini, Cooper, Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015
    (the error), and Roelofs, Cain, Shlens, Mozer, "Mitigating Bias in Calibration Error Estimation", AISTATS 2022
    (bins of equal mass).
    """
    if scores.shape[1] == 2:
        sure, right = scores[:, 1], actual == 1
    else:
        sure, right = scores.max(axis=1), chosen(scores) == actual
    count = max(1, min(MOST_BINS, len(actual) // ROWS_OF_A_BIN))
    edges = np.quantile(sure, np.linspace(0, 1, count + 1)[1:-1])
    bins = np.searchsorted(edges, sure, side="right")
    return _Binned(np.eye(count)[bins] * (sure - right)[:, None])


def _coverage(use_case: UseCase, promised: Interval | PredictionSet, actual: Vector, scores: Scores) -> Check:
    """Too little of it fails beyond doubt only: the level is itself measured on rows that may be few."""
    held = within(promised, actual, scores)
    share, ends = float(np.mean(held)), wilson(int(np.sum(held)), len(held))
    least = promised.level - use_case.gate.calibration.max_undercoverage
    kind = "interval" if isinstance(promised, Interval) else "prediction set"
    said = f"{share:.1%} of the {plain(len(held))} held-out rows"
    interval = f"{CONFIDENCE:.0%} interval {ends[0]:.1%} to {ends[1]:.1%}"
    message = f"the {promised.level:.0%} {kind} holds {said}, {interval}; at least {least:.1%} must be possible"
    return Check(
        code="coverage",
        verdict="pass" if ends[1] >= least else "fail",
        message=message,
        value=share,
        limit=f">= {plain(least)}",
        interval=ends,
    )


def within(promised: Interval | PredictionSet, actual: Vector, scores: Scores) -> Mask:
    """For each row, whether what was observed lies within what the contract promises of it, as it is served.

    Args:
        promised: The contract's interval of a number, or its set of classes.
        actual: Shape (rows,), what was observed.
        scores: What the model says of the rows.
    """
    held: Mask
    if isinstance(promised, PredictionSet):
        own = scores[np.arange(len(actual)), actual.astype(int)]
        held = (own >= promised.threshold) | (chosen(scores) == actual)
        return held
    half = promised.half_width
    if promised.scale == "log":
        with np.errstate(divide="ignore", over="ignore"):
            centre = np.log1p(np.maximum(scores, -1.0))
            low, high = np.expm1(centre - half), np.expm1(centre + half)
    else:
        low, high = scores - half, scores + half
    least = -math.inf if promised.minimum is None else promised.minimum
    most = math.inf if promised.maximum is None else promised.maximum
    held = (actual >= np.clip(low, least, most)) & (actual <= np.clip(high, least, most))
    return held
