"""A candidate must be better than the champion beyond doubt, on the same rows."""

import numpy as np
import pytest

from sluice.adapters.metrics import Scores, roc_auc
from sluice.domain.measures import OF_CLASSES, Metric
from sluice.domain.policy import Change
from sluice.gate.comparison import change

POLICY = Change(resamples=300)
GENERATOR = np.random.default_rng(1)
ACTUAL = GENERATOR.normal(100, 20, 1000)
NOISE = GENERATOR.normal(0, 5, 1000)
CLASSES = GENERATOR.integers(0, 2, 1000).astype(np.float64)


def probabilities(noise: float) -> Scores:
    """What a model says that knows the class but for some noise."""
    positive = 1 / (1 + np.exp(-(2 * CLASSES - 1 + noise * np.random.default_rng(3).normal(size=len(CLASSES)))))
    return np.column_stack([1 - positive, positive])


def test_a_clearly_better_candidate_passes_with_its_interval() -> None:
    check = change(POLICY, "rmse", ACTUAL, ACTUAL + NOISE, ACTUAL + 2 * NOISE, seed=0)

    assert check.code == "change.rmse"
    assert check.verdict == "pass"
    assert check.value == pytest.approx(0.5)
    assert check.interval is not None
    assert 0 < check.interval[0] <= check.interval[1]
    assert "improvement of RMSE over the champion is +50.00%" in check.message


def test_a_better_point_alone_is_not_enough() -> None:
    # Slightly larger errors, on other rows: the candidate is ahead, but not beyond doubt.
    champion = ACTUAL + 1.002 * GENERATOR.permutation(NOISE)

    check = change(POLICY, "rmse", ACTUAL, ACTUAL + NOISE, champion, seed=0)

    assert check.value is not None
    assert check.value > 0
    assert check.interval is not None
    assert check.interval[0] < 0
    assert check.verdict == "fail"


def test_the_interval_is_as_wide_as_the_confidence_asks() -> None:
    wide, narrow = (
        change(Change(resamples=300, confidence=c), "rmse", ACTUAL, ACTUAL + NOISE, ACTUAL + NOISE[::-1], seed=0)
        for c in (0.99, 0.6)
    )

    assert wide.interval is not None
    assert narrow.interval is not None
    assert wide.interval[0] < narrow.interval[0] < narrow.interval[1] < wide.interval[1]


def test_equal_is_not_better() -> None:
    assert change(POLICY, "rmse", ACTUAL, ACTUAL + NOISE, ACTUAL + NOISE, seed=0).verdict == "fail"


def test_a_negative_limit_lets_an_equal_candidate_through() -> None:
    policy = POLICY.model_copy(update={"min_improvement": -0.01})

    assert change(policy, "rmse", ACTUAL, ACTUAL + NOISE, ACTUAL + NOISE, seed=0).verdict == "pass"


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_never_better(broken: float) -> None:
    candidate = ACTUAL.copy()
    candidate[17] = broken

    assert change(POLICY, "rmse", ACTUAL, candidate, ACTUAL + NOISE, seed=0).verdict == "unknown"


@pytest.mark.parametrize("metric", [m for m in OF_CLASSES if m != "calibration_error"])
def test_better_is_told_for_every_metric_of_classes(metric: Metric) -> None:
    good, bad = probabilities(0.5), probabilities(1.5)

    assert change(POLICY, metric, CLASSES, good, bad, seed=0).verdict == "pass"
    assert change(POLICY, metric, CLASSES, bad, good, seed=0).verdict == "fail"


def test_higher_is_better_for_scores() -> None:
    assert change(POLICY, "r2", ACTUAL, ACTUAL + NOISE, ACTUAL + 3 * NOISE, seed=0).verdict == "pass"
    assert change(POLICY, "r2", ACTUAL, ACTUAL + 3 * NOISE, ACTUAL + NOISE, seed=0).verdict == "fail"


def test_a_champion_of_zero_leaves_nothing_to_compare_with() -> None:
    never_positive = np.tile([0.9, 0.1], (len(CLASSES), 1))

    check = change(POLICY, "f1", CLASSES, probabilities(0.5), never_positive, seed=0)

    assert check.verdict == "unknown"
    assert "no improvement of F1 can be computed from 0 of the champion" in check.message


@pytest.mark.parametrize(
    ("confidence", "verdict"), [pytest.param(0.95, "pass", id="few"), pytest.param(0.999, "unknown", id="too many")]
)
def test_resamples_that_cannot_tell_count_as_the_worst(confidence: float, verdict: str) -> None:
    # Of five rows of a class, about seven resamples in a thousand draw none.
    actual = np.zeros(200)
    actual[:5] = 1
    ahead = np.column_stack([1 - actual, actual])
    behind = ahead.copy()
    behind[0] = [1.0, 0.0]
    policy = Change(resamples=1000, confidence=confidence, min_improvement=-0.01)

    check = change(policy, "roc_auc", actual, ahead, behind, seed=0)

    assert check.verdict == verdict
    assert (check.interval is None) == (verdict == "unknown")


def test_the_lower_end_counts_what_cannot_be_told_among_the_worst() -> None:
    actual = np.zeros(200)
    actual[:4] = 1
    ours, theirs = (np.random.default_rng(seed).random(200) / 2 + actual / 3 for seed in (1, 2))
    candidate, champion = (np.column_stack([1 - p, p]) for p in (ours, theirs))

    check = change(Change(resamples=300), "roc_auc", actual, candidate, champion, seed=0)

    generator = np.random.default_rng(0)
    gains = []
    for _ in range(300):
        rows = generator.integers(0, 200, 200)
        ours, theirs = (roc_auc(actual[rows], scores[rows]) for scores in (candidate, champion))
        gains.append((ours - theirs) / theirs)
    untold = int(np.isnan(gains).sum())
    assert 0 < untold < 7
    assert check.interval is not None
    # Of 299 steps from the smallest to the largest, the lower end lies 7.475 above the smallest.
    assert check.interval[0] == pytest.approx(np.sort(gains)[7 - untold])


def test_the_same_evidence_gives_the_same_interval() -> None:
    first, second = (change(POLICY, "rmse", ACTUAL, ACTUAL + NOISE, ACTUAL + 1.1 * NOISE, seed=4) for _ in range(2))

    assert first == second
