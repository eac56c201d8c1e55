from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.training.choices import Choices, Findings
from sluice.training.evidence import leverage
from sluice.training.evidence.leverage import Leverage
from sluice.training.search import Attempt, SearchResult
from tests.unit.training.trainings import attempts_of, differing, use_case_of

USE_CASE = use_case_of("regression")


def measured(attempts: tuple[Attempt, ...]) -> Leverage:
    findings = Findings(Choices("median", {}), (), {}, {}, {})
    return leverage.measure(USE_CASE, SearchResult("study", "rmse", attempts[0], attempts, findings))


@pytest.mark.parametrize(("trials", "method"), [(30, "fanova"), (9, "rank_correlation")])
def test_what_moves_the_score_is_told_from_what_does_not(trials: int, method: str) -> None:
    found = measured(tuple(differing(attempts_of("regression", trials))))
    assert (found.trials, found.method) == (trials, method)
    assert found.shares["learning_rate"] > 0.8
    assert found.shares["l2_regularization"] < 0.5
    if method == "fanova":
        assert sum(found.shares.values()) == pytest.approx(1)


def test_too_few_trials_tell_nothing() -> None:
    found = measured(tuple(differing(attempts_of("regression", 4))))
    assert (found.trials, found.shares) == (4, {})


def test_trials_of_other_families_and_those_given_up_do_not_count() -> None:
    own = list(differing(attempts_of("regression", 12)))
    own[3] = replace(own[3], state="pruned")
    own[5] = replace(own[5], family="ridge", parameters={"alpha": 1.0})
    assert measured(tuple(own)).trials == 10


def test_one_proposal_that_overflowed_does_not_hide_the_rest() -> None:
    own = list(differing(attempts_of("regression", 30)))
    own[0] = replace(own[0], scores=(1e150, 1e150))
    assert measured(tuple(own)).shares["learning_rate"] > 0.8


def test_scores_that_are_all_the_same_tell_nothing() -> None:
    own = tuple(replace(a, scores=(1.0, 1.0)) for a in differing(attempts_of("regression", 30)))
    assert measured(own).shares == {}


def test_values_lie_on_an_upright_by_size_by_magnitude_or_by_name() -> None:
    family = "hist_gradient_boosting"
    kinds: list[dict[str, int | float | str]] = [
        {"learning_rate": 0.05, "max_iter": 10, "max_features": "sqrt"},
        {"learning_rate": 0.1, "max_iter": 20, "max_features": "log2"},
        {"learning_rate": 0.2, "max_iter": 30, "max_features": "sqrt"},
    ]
    own = [replace(attempts_of("regression")[0], parameters=parameters) for parameters in kinds]
    rate, trees, features = (leverage.positions(USE_CASE, family, own, name) for name in kinds[0])
    assert rate.heights == pytest.approx((0, 0.5, 1))
    assert trees.heights == pytest.approx((0, 0.5, 1))
    assert trees.marks == ((0.0, "10"), (1.0, "30"))
    assert (features.heights, features.marks) == ((1.0, 0.0, 1.0), ((0.0, "log2"), (1.0, "sqrt")))
