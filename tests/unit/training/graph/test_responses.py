"""Probabilities from responses, where arithmetic is at its limits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from sluice.adapters.graphs import Graph, Scores
from sluice.domain.errors import ConversionError
from sluice.training.graph import responses
from sluice.training.graph.draft import Draft
from sluice.training.graph.responses import Response

FAR = [0.0, -0.0, 1e-300, 20.0, -20.0, 36.0, -36.0, 40.0, -40.0, 700.0, -700.0, 800.0, -800.0, 1e300, -1e300]


def asked(rows: list[list[float]], kind: Any, classes: int, calibration: Any = None) -> Scores:
    """The probabilities that a graph makes of responses of a kind."""
    names = [f"c{i}" for i in range(len(rows[0]))]
    draft = Draft()
    inputs = [draft.input(name, "double") for name in names]
    joined = inputs[0] if len(inputs) == 1 else draft.node("Concat", *inputs, axis=1)
    response = Response(joined, kind, classes)
    if calibration is None:
        made = responses.probabilities(draft, response)
    else:
        made = responses.calibrated(draft, response, calibration)
    return Graph(draft.finish(made, classes)).predict(pd.DataFrame(rows, columns=names))


def platt(*pairs: tuple[float, float]) -> SimpleNamespace:
    return SimpleNamespace(method="sigmoid", calibrators=[SimpleNamespace(a_=a, b_=b) for a, b in pairs])


def temperature(inverse: float) -> SimpleNamespace:
    return SimpleNamespace(method="temperature", calibrators=[SimpleNamespace(beta_=inverse)])


def test_two_classes_get_the_sigmoid_of_any_score() -> None:
    probability = asked([[score] for score in FAR], "log_odds", 2)
    np.testing.assert_allclose(probability[:, 1], expit(FAR), rtol=1e-14, atol=1e-307)
    np.testing.assert_array_equal(probability[:, 0], 1 - probability[:, 1])


def test_more_classes_get_the_softmax_of_any_scores() -> None:
    scores = [[x, y, z] for x in FAR for y in FAR for z in FAR]
    np.testing.assert_allclose(asked(scores, "log_odds", 3), softmax(scores, axis=1), rtol=1e-13, atol=1e-300)


def test_probabilities_stay_what_they_are() -> None:
    np.testing.assert_array_equal(asked([[0.25], [1.0]], "probability", 2), [[0.75, 0.25], [0, 1]])
    np.testing.assert_array_equal(asked([[0.25, 0.5, 0.25]], "probability", 3), [[0.25, 0.5, 0.25]])


def test_sigmoids_of_two_classes_are_turned_and_moved() -> None:
    probability = asked([[2.0], [-1.0]], "margin", 2, platt((-3.0, 0.5)))
    np.testing.assert_allclose(probability[:, 1], expit([5.5, -3.5]), rtol=1e-15)


def test_sigmoids_of_more_classes_are_shared_out_however_small_they_are() -> None:
    calibration = platt((-1.0, 0.0), (-2.0, 1.0), (-1.0, 0.0))
    rows = [[1.0, 0.5, -2.0], [-50.0, -20.0, -60.0], [-400.0, -300.0, -500.0]]
    each = expit([[x, 2 * y - 1, z] for x, y, z in rows])
    np.testing.assert_allclose(
        asked(rows, "margin", 3, calibration), each / each.sum(axis=1, keepdims=True), rtol=1e-12
    )


def test_no_class_is_preferred_where_every_sigmoid_is_zero() -> None:
    calibration = platt((-1.0, 0.0), (-1.0, 0.0), (-1.0, 0.0), (-1.0, 0.0))
    np.testing.assert_array_equal(asked([[-1e300, -1e5, -1e6, -1e7]], "margin", 4, calibration), [[0.25] * 4])


def test_a_temperature_scales_the_scores() -> None:
    scores = [[1.0, 2.0, -1.0], [1e300, 0.0, -1e300]]
    expected = softmax(0.5 * np.array(scores), axis=1)
    np.testing.assert_allclose(asked(scores, "log_odds", 3, temperature(0.5)), expected, rtol=1e-14)
    # The score of two classes counts for the one and against the other.
    np.testing.assert_allclose(asked([[3.0]], "log_odds", 2, temperature(0.5))[:, 1], expit(3.0), rtol=1e-14)


def test_a_temperature_scales_the_logarithms_of_probabilities() -> None:
    known = np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0]])
    expected = softmax(2 * np.log(known + 1e-12), axis=1)
    np.testing.assert_allclose(asked(known.tolist(), "probability", 3, temperature(2)), expected, rtol=1e-13)
    two = softmax(2 * np.log(np.array([[0.75, 0.25]]) + 1e-12), axis=1)
    np.testing.assert_allclose(asked([[0.25]], "probability", 2, temperature(2)), two, rtol=1e-13)


def test_margins_are_no_probabilities() -> None:
    with pytest.raises(ConversionError, match="sigmoid"):
        asked([[1.0]], "margin", 2)


def test_another_calibration_is_refused() -> None:
    with pytest.raises(ConversionError, match="isotonic"):
        asked([[1.0]], "margin", 2, SimpleNamespace(method="isotonic", calibrators=[]))
