from __future__ import annotations

import optuna

from sluice.domain.search import Span
from sluice.training.proposals import TRIES_PER_FAMILY, Space, propose, starts

SPACE: Space = {
    "ridge": {"alpha": Span(low=5.0, high=50.0)},
    "hist_gradient_boosting": {
        "learning_rate": Span(low=0.01, high=0.05, log=True),
        "max_iter": Span(low=10, high=1000),
        "max_leaf_nodes": (7, 15),
        "min_samples_leaf": 3,
    },
}


def test_every_family_begins_where_it_usually_does_well_as_far_as_its_space_allows() -> None:
    boosting, ridge, *others = starts(SPACE, "regression")
    assert ridge == {"family": "ridge", "ridge.alpha": 5.0}
    assert boosting == {
        "family": "hist_gradient_boosting",
        "hist_gradient_boosting.learning_rate": 0.05,
        "hist_gradient_boosting.max_iter": 300,
        "hist_gradient_boosting.max_leaf_nodes": 7,
    }
    assert others == [{"family": "hist_gradient_boosting"}, {"family": "ridge"}] * (TRIES_PER_FAMILY - 1)


def test_whole_spans_give_whole_numbers_and_fixed_values_are_kept() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    proposed = [propose(study.ask({}), SPACE) for _ in range(30)]
    found = [parameters for family, parameters in proposed if family == "hist_gradient_boosting"]
    assert 0 < len(found) < 30
    for parameters in found:
        assert list(parameters) == list(SPACE["hist_gradient_boosting"])
        assert isinstance(parameters["max_iter"], int)
        assert 0.01 <= float(parameters["learning_rate"]) <= 0.05
        assert parameters["max_leaf_nodes"] in (7, 15)
        assert parameters["min_samples_leaf"] == 3


def test_a_family_that_does_well_elsewhere_with_classes_begins_there() -> None:
    space: Space = {"hist_gradient_boosting": {"max_iter": Span(low=10, high=1000)}}
    number, classes = (starts(space, task)[0]["hist_gradient_boosting.max_iter"] for task in ("regression", "binary"))
    assert (number, classes) == (300, 150)
