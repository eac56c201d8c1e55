"""A thousand resamples at once give what one call for each would have given."""

from typing import get_args

import numpy as np
import pytest

from sluice.adapters.metrics import METRICS, Scores, Vector
from sluice.adapters.resamples import resampled, weights
from sluice.domain.measures import OF_CLASSES, OF_NUMBERS, Metric

GENERATOR = np.random.default_rng(5)
ROWS = 40
DRAWS = GENERATOR.integers(0, ROWS, (50, ROWS))
WEIGHTS = np.array([np.bincount(draw, minlength=ROWS) for draw in DRAWS], dtype=np.float64)


def classes(count: int) -> tuple[Vector, Scores]:
    """Rows of classes whose probabilities are often equal, so that ties count."""
    actual = GENERATOR.integers(0, count, ROWS).astype(np.float64)
    scores = np.round(np.eye(count)[actual.astype(int)] + GENERATOR.random((ROWS, count)), 1) + 0.1
    return actual, scores / scores.sum(axis=1, keepdims=True)


NUMBERS = np.append(GENERATOR.normal(100, 20, ROWS - 2), [0.0, 0.0])
CASES = {
    "numbers": (NUMBERS, NUMBERS + GENERATOR.normal(0, 9, ROWS), OF_NUMBERS),
    "two classes": (*classes(2), OF_CLASSES),
    "four classes": (*classes(4), OF_CLASSES),
    "one class only": (np.ones(ROWS), classes(2)[1], OF_CLASSES),
    "a rare class": (np.eye(ROWS)[3], classes(2)[1], OF_CLASSES),
    "never called positive": (classes(2)[0], np.tile([0.9, 0.1], (ROWS, 1)), OF_CLASSES),
    "no spread": (np.full(ROWS, 7.1), np.full(ROWS, 7.0), OF_NUMBERS),
    "nothing but zeros": (np.zeros(ROWS), np.ones(ROWS), OF_NUMBERS),
}


@pytest.mark.parametrize(
    ("case", "metric"), [pytest.param(c, m, id=f"{m}-{c}") for c, (_, _, ms) in CASES.items() for m in ms]
)
def test_each_resample_is_measured_as_its_own_rows_would_be(case: str, metric: Metric) -> None:
    actual, scores, _ = CASES[case]

    at_once = resampled(metric, actual, scores)(WEIGHTS)

    one_by_one = [METRICS[metric](actual[draw], scores[draw]) for draw in DRAWS]
    np.testing.assert_allclose(at_once, one_by_one, rtol=1e-9, atol=1e-12)


def test_every_metric_a_spec_may_name_can_be_resampled() -> None:
    assert {m for _, _, metrics in CASES.values() for m in metrics} == set(get_args(Metric))


def test_many_rows_are_drawn_in_blocks_to_the_same_end() -> None:
    [whole] = weights(1000, 30, np.random.default_rng(4))
    blocks = list(weights(1000, 30, np.random.default_rng(4), cells=7000))

    assert [len(block) for block in blocks] == [7, 7, 7, 7, 2]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert (whole.sum(axis=1) == 1000).all()
