from __future__ import annotations

import logging

import numpy as np
import pytest
from sklearn.base import clone

from sluice.training.graph.linear import Logistic


def learnable() -> tuple[np.ndarray, np.ndarray]:
    inputs = np.random.default_rng(0).normal(0, [1, 1e5], (200, 2))
    return inputs, (inputs[:, 0] + inputs[:, 1] / 1e5 > 0).astype(float)


def test_a_fit_that_did_not_converge_is_a_model_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inputs, target = learnable()
    model = Logistic(C=10.0, max_iter=2).fit(inputs, target)
    assert model.score(inputs, target) > 0.5
    assert "C=10 stopped after 2 steps" in caplog.text


def test_a_fit_that_converged_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    inputs, target = learnable()
    Logistic().fit(inputs / [1, 1e5], target)
    assert not caplog.text


def test_it_is_cloned_like_any_estimator() -> None:
    assert clone(Logistic(C=3.0)).get_params()["C"] == 3.0
