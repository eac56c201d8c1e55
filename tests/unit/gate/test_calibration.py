"""A model must be as sure as it is right, and its intervals must hold what they promise."""

from typing import Any

import numpy as np
import pytest

from sluice.adapters.metrics import Scores, Vector
from sluice.domain.contract import Contract, Interval, PredictionSet
from sluice.domain.evidence import Check
from sluice.domain.use_case import UseCase
from sluice.gate import calibration
from tests.unit.conftest import MakeBundle

GENERATOR = np.random.default_rng(4)
CHANCES = GENERATOR.uniform(0, 1, 3000)
HAPPENED = (GENERATOR.random(3000) < CHANCES).astype(np.float64)
NUMBERS = GENERATOR.normal(100, 10, 1000)
ERRORS = GENERATOR.uniform(-1, 1, 1000)


@pytest.fixture(scope="module")
def contract(make_bundle: MakeBundle) -> Contract:
    """A contract that promises no interval and no set."""
    return make_bundle(1.0).contract


def of_two(positive: Vector) -> Scores:
    return np.column_stack([1 - positive, positive])


def judged(use_case: UseCase, contract: Contract, actual: Vector, scores: Scores, **promised: Any) -> dict[str, Check]:
    checks, _ = calibration.judge(use_case, contract.model_copy(update=promised), actual, scores)
    return {check.code: check for check in checks}


def test_probabilities_that_are_frequencies_pass(loans: UseCase, contract: Contract) -> None:
    check = judged(loans, contract, HAPPENED, of_two(CHANCES))["calibration.error"]

    assert check.verdict == "pass"
    assert check.value is not None
    assert check.value < 0.04
    assert check.interval is not None
    assert check.interval[1] < 0.08
    assert "how far probabilities lie from frequencies on average" in check.message


def test_a_model_that_is_too_sure_fails(loans: UseCase, contract: Contract) -> None:
    too_sure = np.where(CHANCES > 0.5, 0.99, 0.01)

    assert judged(loans, contract, HAPPENED, of_two(too_sure))["calibration.error"].verdict == "fail"


def test_rare_probabilities_are_judged_with_others_of_their_kind(loans: UseCase, contract: Contract) -> None:
    # All probabilities lie in a small part of the range, half of them too high: bins of equal width would see one mean.
    said = np.repeat([0.02, 0.06], 1500)
    happened = (np.arange(3000) % 20 == 0).astype(np.float64)

    check = judged(loans, contract, happened, of_two(said))["calibration.error"]

    assert check.value == pytest.approx(0.02)


def test_of_many_classes_the_chosen_one_counts(loans: UseCase, contract: Contract) -> None:
    three = loans.model_copy(update={"task": "multiclass"})
    right = np.arange(900) % 10 < 7
    scores = np.tile([0.7, 0.2, 0.1], (900, 1))

    check = judged(three, contract, np.where(right, 0.0, 1.0), scores)["calibration.error"]

    assert check.value == pytest.approx(0.0, abs=1e-9)


def test_numbers_have_no_calibration_error_and_few_rows_no_coverage(line: UseCase, contract: Contract) -> None:
    checks, notes = calibration.judge(line, contract, NUMBERS, NUMBERS)

    assert checks == ()
    assert notes == ("the candidate promises no interval, so there is no coverage to judge",)


@pytest.mark.parametrize(("half", "covered", "verdict"), [(0.9, 0.9, "pass"), (0.87, 0.87, "pass"), (0.5, 0.5, "fail")])
def test_an_interval_must_cover_what_it_promises(
    line: UseCase, contract: Contract, half: float, covered: float, verdict: str
) -> None:
    interval = Interval(level=0.9, half_width=half, coverage=0.9)

    check = judged(line, contract, NUMBERS + ERRORS, NUMBERS, interval=interval)["coverage"]

    assert check.verdict == verdict
    assert check.value == pytest.approx(covered, abs=0.04)
    assert check.interval is not None
    assert check.interval[0] < check.value < check.interval[1]
    assert check.limit == ">= 0.85"
    assert "the 90% interval holds" in check.message


def test_what_chance_explains_on_few_rows_does_not_fail(line: UseCase, contract: Contract) -> None:
    interval = Interval(level=0.9, half_width=1.0, coverage=0.9)
    errors = np.where(np.arange(1000) % 5 == 0, 2.0, 0.0)

    # Four of five are held, less than 0.85; of thirty that may be chance, of a thousand it is not.
    for rows, verdict in ((30, "pass"), (1000, "fail")):
        actual, said = (NUMBERS + errors)[:rows], NUMBERS[:rows]
        assert judged(line, contract, actual, said, interval=interval)["coverage"].verdict == verdict


def test_an_interval_of_the_logarithm_widens_with_the_prediction(line: UseCase, contract: Contract) -> None:
    interval = Interval(level=0.9, half_width=np.log(2), scale="log", coverage=0.9)
    said = np.array([9.0, 9.0, 99.0, 99.0, -3.0])
    actual = np.array([18.0, 20.0, 198.0, 220.0, 0.0])

    held = calibration.within(interval, actual, said)

    assert held.tolist() == [True, False, True, False, False]


def test_the_targets_range_cuts_the_interval_as_it_is_served(line: UseCase) -> None:
    interval = Interval(level=0.9, half_width=1, minimum=0, maximum=10, coverage=0.9)

    assert calibration.within(interval, np.array([10.0, 0.0, 9.0]), np.array([12.0, -2.0, 12.0])).tolist() == [
        True,
        True,
        False,
    ]


def test_a_set_holds_the_most_probable_class_and_all_above_its_threshold(loans: UseCase, contract: Contract) -> None:
    said = of_two(np.array([0.3, 0.4, 0.39, 0.9, 0.55]))
    actual = np.array([0.0, 1.0, 1.0, 0.0, 1.0])

    for threshold, held in ((0.4, [True, True, False, False, True]), (0.6, [True, False, False, False, True])):
        promised = PredictionSet(level=0.9, threshold=threshold, coverage=0.9, mean_size=1)
        assert calibration.within(promised, actual, said).tolist() == held
        check = judged(loans, contract, actual, said, prediction_set=promised)["coverage"]
        assert check.value == np.mean(held)
        assert "prediction set" in check.message
