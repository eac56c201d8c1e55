"""A candidate must be better than the champion beyond doubt, on the same rows."""

import numpy as np
import pytest

from sluice.domain.policy import Change
from sluice.gate.comparison import change

POLICY = Change(metric="rmse", resamples=300)
GENERATOR = np.random.default_rng(1)
ACTUAL = GENERATOR.normal(100, 20, 1000)
NOISE = GENERATOR.normal(0, 5, 1000)


def test_a_clearly_better_candidate_passes_with_its_interval() -> None:
    check = change(POLICY, ACTUAL, ACTUAL + NOISE, ACTUAL + 2 * NOISE, seed=0)

    assert check.verdict == "pass"
    assert check.value == pytest.approx(0.5)
    assert check.interval is not None
    assert 0 < check.interval[0] <= check.interval[1]


def test_a_better_point_alone_is_not_enough() -> None:
    # Slightly larger errors, on other rows: the candidate is ahead, but not beyond doubt.
    champion = ACTUAL + 1.002 * GENERATOR.permutation(NOISE)

    check = change(POLICY, ACTUAL, ACTUAL + NOISE, champion, seed=0)

    assert check.value is not None
    assert check.value > 0
    assert check.interval is not None
    assert check.interval[0] < 0
    assert check.verdict == "fail"


def test_equal_is_not_better() -> None:
    assert change(POLICY, ACTUAL, ACTUAL + NOISE, ACTUAL + NOISE, seed=0).verdict == "fail"


def test_a_negative_limit_lets_an_equal_candidate_through() -> None:
    policy = POLICY.model_copy(update={"min_improvement": -0.01})

    assert change(policy, ACTUAL, ACTUAL + NOISE, ACTUAL + NOISE, seed=0).verdict == "pass"


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_never_better(broken: float) -> None:
    candidate = ACTUAL.copy()
    candidate[17] = broken

    assert change(POLICY, ACTUAL, candidate, ACTUAL + NOISE, seed=0).verdict == "unknown"


def test_higher_is_better_for_scores() -> None:
    policy = Change(metric="r2", resamples=300)

    assert change(policy, ACTUAL, ACTUAL + NOISE, ACTUAL + 3 * NOISE, seed=0).verdict == "pass"
    assert change(policy, ACTUAL, ACTUAL + 3 * NOISE, ACTUAL + NOISE, seed=0).verdict == "fail"


def test_the_same_evidence_gives_the_same_interval() -> None:
    first, second = (change(POLICY, ACTUAL, ACTUAL + NOISE, ACTUAL + 1.1 * NOISE, seed=4) for _ in range(2))

    assert first == second
