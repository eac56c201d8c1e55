"""What is estimated without labels holds what labels say later as often as it says, while nothing else changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from sluice.adapters.metrics import METRICS, Scores, Vector, measure
from sluice.domain.measures import Metric, Task
from sluice.monitoring import estimation
from sluice.monitoring.estimation import Estimate, Target, Unseen, of_classes, of_numbers

Draw = np.random.Generator
Sides = tuple[Vector, Scores]
Side = Callable[[Draw, int], Sides]
Floats = np.ndarray[Any, np.dtype[np.float64]]

#: How often an interval says that it holds what will be measured.
STATED = 0.95
#: How many worlds it is tried in: the next rows, and other unseen rows to learn from, in each.
WORLDS = [pytest.param(16, id="some worlds"), pytest.param(240, id="many worlds", marks=pytest.mark.soak)]


def odds(chance: Floats) -> Floats:
    return np.log(chance / (1 - chance))


def logistic(value: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-value)))


def two_classes(first: float, second: float, truth: Callable[[Floats], Floats]) -> Side:
    """A release of two classes whose words and truth are apart in a given way."""

    def side(draw: Draw, count: int) -> Sides:
        said = draw.beta(first, second, count)
        return (draw.random(count) < truth(said)).astype(np.float64), np.column_stack([1 - said, said])

    return side


def three_classes(spread: float, sharpness: float) -> Side:
    """A release of three classes that is surer of itself than it should be."""

    def side(draw: Draw, count: int) -> Sides:
        said = np.exp(draw.normal([0.0, 0.5, -0.5], spread, (count, 3)))
        said /= said.sum(axis=1, keepdims=True)
        chance = said**sharpness
        chance /= chance.sum(axis=1, keepdims=True)
        actual = np.minimum((draw.random((count, 1)) >= np.cumsum(chance, axis=1)).sum(axis=1), 2)
        return actual.astype(np.float64), said

    return side


def numbers(low: float, high: float, error: Callable[[Draw, Floats], Floats]) -> Side:
    """A release of numbers whose errors are drawn for each of its answers."""

    def side(draw: Draw, count: int) -> Sides:
        said = draw.uniform(low, high, count)
        return said + error(draw, said), said

    return side


def estimate(task: Task, unseen: Sides, said: Scores, target: Target, seed: int) -> Mapping[Metric, Estimate]:
    known = Unseen(*unseen)
    return of_numbers(said, known, target, seed) if task == "regression" else of_classes(said, known, seed)


#: Name: (task, scale, at promotion, afterwards): what comes afterwards is asked about elsewhere, and means the same.
CASES: dict[str, tuple[Task, Target, Side, Side]] = {
    "probabilities that are right": (
        "binary",
        Target(),
        two_classes(0.6, 1.5, lambda said: said),
        two_classes(1.0, 1.0, lambda said: said),
    ),
    "probabilities that are too sure": (
        "binary",
        Target(),
        two_classes(0.6, 1.5, lambda said: logistic(0.6 * odds(said))),
        two_classes(1.0, 1.0, lambda said: logistic(0.6 * odds(said))),
    ),
    "probabilities that are too low": (
        "binary",
        Target(),
        two_classes(1.0, 1.0, lambda said: logistic(odds(said) + 0.7)),
        two_classes(0.6, 1.5, lambda said: logistic(odds(said) + 0.7)),
    ),
    "three classes, too sure": ("multiclass", Target(), three_classes(1.5, 0.6), three_classes(1.0, 0.6)),
    "errors that are alike": (
        "regression",
        Target(),
        numbers(1, 50, lambda draw, said: draw.normal(1, 2, len(said))),
        numbers(20, 50, lambda draw, said: draw.normal(1, 2, len(said))),
    ),
    "errors that grow": (
        "regression",
        Target(),
        numbers(1, 50, lambda draw, said: draw.normal(0, 0.2 * said)),
        numbers(20, 50, lambda draw, said: draw.normal(0, 0.2 * said)),
    ),
    "errors of the logarithm": (
        "regression",
        Target("log", 0.0),
        numbers(1, 50, lambda draw, said: np.expm1(np.log1p(said) + draw.normal(0, 0.2, len(said))) - said),
        numbers(60, 90, lambda draw, said: np.expm1(np.log1p(said) + draw.normal(0, 0.2, len(said))) - said),
    ),
}


@pytest.mark.parametrize("worlds", WORLDS)
@pytest.mark.parametrize("name", CASES)
def test_the_interval_holds_what_is_realised_as_often_as_it_says(
    name: str, worlds: int, say: Callable[[str], None]
) -> None:
    task, target, before, after = CASES[name]
    draw = np.random.default_rng(17)
    within: dict[Metric, list[bool]] = defaultdict(list)
    for world in range(worlds):
        actual, said = after(draw, 300)
        realised = measure(task, actual, said)
        for metric, found in estimate(task, before(draw, 500), said, target, world).items():
            within[metric].append(found.low <= realised[metric] <= found.high)

    assert set(within) == set(realised)
    shares = {metric: float(np.mean(held)) for metric, held in within.items()}
    mean, chance = float(np.mean(list(shares.values()))), np.sqrt(STATED * (1 - STATED) / worlds)
    say(f"estimates, {name}: {mean:.1%} of the {STATED:.0%} intervals hold what was realised, in {worlds} worlds")
    assert min(shares.values()) >= STATED - 4 * chance, shares
    assert mean >= STATED - 2.5 * chance, shares


def test_a_release_is_not_taken_at_its_word() -> None:
    draw = np.random.default_rng(1)
    boasting = two_classes(1.0, 1.0, lambda said: logistic(0.3 * odds(said)))
    _, said = boasting(draw, 2000)

    found = of_classes(said, Unseen(*boasting(draw, 2000)), seed=1)["accuracy"]

    assert said.max(axis=1).mean() > 0.74, "it claims this accuracy"
    assert 0.55 < found.low < found.high < 0.70


def test_the_estimate_follows_the_rows_to_where_the_release_is_weak() -> None:
    draw = np.random.default_rng(2)
    growing = Unseen(*numbers(1, 50, lambda draw, said: draw.normal(0, 0.2 * said))(draw, 2000))

    easy, hard = (of_numbers(draw.uniform(*ends, 500), growing, Target(), 1)["mae"] for ends in ((1, 10), (40, 50)))

    assert 4 * easy.high < hard.low


def test_where_errors_are_alike_everywhere_the_estimate_of_numbers_stays_what_it_was() -> None:
    draw = np.random.default_rng(3)
    alike = Unseen(*numbers(1, 50, lambda draw, said: draw.normal(0, 2, len(said)))(draw, 3000))

    here, there = (of_numbers(draw.uniform(*ends, 2000), alike, Target(), 1)["rmse"] for ends in ((1, 10), (40, 50)))

    assert here.value == pytest.approx(there.value, rel=0.1)
    assert here.low < 2 < here.high


def test_numbers_keep_to_what_there_can_be() -> None:
    draw = np.random.default_rng(4)
    wide = Unseen(*numbers(1, 50, lambda draw, said: draw.normal(0, 20, len(said)))(draw, 500))

    free, held = (of_numbers(np.full(300, 1.0), wide, target, 1)["mae"] for target in (Target(), Target(low=0.0)))

    assert held.high < free.low


@pytest.mark.parametrize(("unseen", "asked"), [(estimation.FEWEST_UNSEEN - 1, 100), (500, 0)], ids=["unseen", "asked"])
def test_too_few_rows_give_no_estimate(unseen: int, asked: int) -> None:
    draw = np.random.default_rng(5)
    classes, lines = CASES["probabilities that are right"][2], CASES["errors that are alike"][2]

    assert of_classes(classes(draw, asked)[1], Unseen(*classes(draw, unseen)), 1) == {}
    assert of_numbers(lines(draw, asked)[1], Unseen(*lines(draw, unseen)), Target(), 1) == {}


@pytest.mark.parametrize("values", [[5.0], [1.0, 10.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 10.0]])
def test_a_release_that_knows_few_answers_is_estimated_all_the_same(values: list[float]) -> None:
    draw = np.random.default_rng(8)
    said = np.resize(values, 1000)

    found = of_numbers(np.array([0.0, *values, 11.0]), Unseen(said + draw.choice([-2.0, 2.0], 1000), said), Target(), 1)

    assert found["mae"].value == pytest.approx(2.0)


def test_a_class_that_was_never_true_is_estimated_all_the_same() -> None:
    draw = np.random.default_rng(6)
    side = two_classes(1.0, 9.0, lambda said: 0 * said)

    found = of_classes(side(draw, 300)[1], Unseen(*side(draw, 500)), 1)

    assert found["accuracy"].low > 0.95
    assert found["accuracy"].high <= 1


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_same_rows_and_seed_give_the_same_estimate(task: Task) -> None:
    draw = np.random.default_rng(7)
    name = "probabilities that are right" if task == "binary" else "errors that are alike"
    _, target, before, after = CASES[name]
    unseen, said = before(draw, 300), after(draw, 200)[1]

    assert estimate(task, unseen, said, target, 1) == estimate(task, unseen, said, target, 1)
    assert estimate(task, unseen, said, target, 1) != estimate(task, unseen, said, target, 2)


@pytest.mark.parametrize("metric", ["rmse", "mae", "mape", "r2"])
def test_where_nothing_is_left_open_the_estimate_is_the_metric(metric: Metric) -> None:
    said = np.linspace(10, 30, 200)
    unseen = Unseen(said + 3.0, said)

    found = of_numbers(said, unseen, Target(), 1)[metric]

    expected = METRICS[metric](said + 3.0, said)
    assert (found.low, found.value, found.high) == pytest.approx((expected, expected, expected))
