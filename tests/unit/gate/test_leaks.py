"""What is too good to be true is told: a perfect model, an input that is the answer, rows that were seen before."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.domain.columns import Column
from sluice.domain.evidence import Check
from sluice.domain.use_case import UseCase
from sluice.gate import leaks
from sluice.gate.answers import Answered

GENERATOR = np.random.default_rng(8)


def part(count: int, noise: float = 5.0, **columns: Any) -> Answered:
    """Plots whose price follows from their area; `leak` makes a column of the price."""
    area = GENERATOR.uniform(0, 100, count)
    price = np.exp(area / 20 + GENERATOR.normal(0, 0.5, count))
    frame = pd.DataFrame(
        {
            "area": area,
            "year": GENERATOR.integers(1900, 2001, count).astype(float),
            "water": GENERATOR.random(count) < 0.3,
            "_repeated": False,
        }
    )
    frame = frame.assign(**{name: make(price) for name, make in columns.items()})
    return Answered(frame, price, price + noise * GENERATOR.normal(size=count))


def judged(use_case: UseCase, train: Answered, test: Answered) -> dict[str, Check]:
    checks, _ = leaks.judge(use_case, train, test)
    return {check.code: check for check in checks}


def test_an_honest_model_is_not_suspected(plots: UseCase) -> None:
    checks = judged(plots, part(600), part(300, noise=20))

    assert {code: check.verdict for code, check in checks.items()} == {
        "leak.score": "pass",
        "leak.alone": "pass",
        "leak.repeated_rows": "pass",
    }
    assert all(check.interval is not None for check in checks.values())
    assert "'area' reaches by itself" in checks["leak.alone"].message


def test_a_model_that_is_right_about_everything_is_suspected(plots: UseCase) -> None:
    check = judged(plots, part(600), part(300, noise=0.0))["leak.score"]

    assert check.verdict == "fail"
    assert "suggests a leak when nearly perfect" in check.message


def test_a_limit_of_one_suspects_nobody(plots: UseCase) -> None:
    gate = plots.gate.model_copy(update={"leaks": plots.gate.leaks.model_copy(update={"max_score": 1.0})})

    checks = judged(plots.model_copy(update={"gate": gate}), part(600), part(300, noise=0.0))

    assert checks["leak.score"].verdict == "pass"


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(lambda price: 1.1 * price - 3, id="another unit"),
        pytest.param(lambda price: np.where(np.arange(len(price)) % 10 == 0, np.nan, price), id="with gaps"),
        pytest.param(lambda price: 1e15 + np.round(price * 1000), id="a long number"),
    ],
)
def test_an_input_that_is_the_answer_is_named(plots: UseCase, leak: Any) -> None:
    check = judged(plots, part(200, year=leak), part(150, year=leak))["leak.alone"]

    assert check.verdict == "fail"
    assert "'year' reaches by itself" in check.message


def test_all_inputs_that_tell_too_much_are_named(plots: UseCase) -> None:
    copies = {"year": lambda price: 2 * price, "area": lambda price: price}

    check = judged(plots, part(300, **copies), part(200, **copies))["leak.alone"]

    assert "more than is allowed is also reached by " in check.message


@pytest.mark.parametrize("kind", ["a category", "a long number"])
def test_an_input_that_is_the_class_is_named(loans: UseCase, kind: str) -> None:
    home = {"a category": loans.column("home"), "a long number": Column(name="home", type="integer")}[kind]
    seen = home.model_copy(update={"role": "feature"})
    use_case = loans.model_copy(update={"columns": (loans.columns[0], seen, *loans.columns[2:])})

    def two(count: int) -> Answered:
        actual = GENERATOR.integers(0, 2, count).astype(np.float64)
        frame = pd.DataFrame(
            {
                "income": GENERATOR.normal(size=count),
                "home": np.where(actual == 1, "own", "rent") if kind == "a category" else 10**15 + actual,
                "_repeated": False,
            }
        )
        return Answered(frame, actual, np.tile([0.5, 0.5], (count, 1)))

    check = judged(use_case, two(300), two(200))["leak.alone"]

    assert (check.verdict, check.value) == ("fail", 1.0)
    assert "ROC AUC that 'home' reaches" in check.message


def test_a_class_that_is_only_held_out_is_none_that_an_input_tells(plots: UseCase) -> None:
    three = plots.model_copy(
        update={
            "task": "multiclass",
            "target": "kind",
            "columns": (
                *plots.columns[:-1],
                Column(name="kind", type="category", categories=("a", "b", "c")),
            ),
        }
    )
    train, test = part(300), part(300)
    seen = Answered(train.rows, GENERATOR.integers(0, 2, 300).astype(np.float64), np.tile([0.4, 0.3, 0.3], (300, 1)))
    asked = Answered(test.rows, GENERATOR.integers(0, 3, 300).astype(np.float64), np.tile([0.4, 0.3, 0.3], (300, 1)))

    assert judged(three, seen, asked)["leak.alone"].verdict == "pass"


def test_an_input_without_a_value_tells_nothing(plots: UseCase) -> None:
    nothing = {"year": lambda price: np.full(len(price), np.nan)}

    check = judged(plots, part(300, **nothing), part(200, **nothing))["leak.alone"]

    assert "'area' reaches" in check.message


def test_one_input_alone_is_the_model_itself(line: UseCase) -> None:
    rows = pd.DataFrame({"x": np.arange(200.0), "_repeated": False})
    both = Answered(rows, np.arange(200.0), np.arange(200.0) + GENERATOR.normal(0, 10, 200))

    assert "leak.alone" not in judged(line, both, both)


def test_few_held_out_rows_are_too_few_to_suspect(plots: UseCase) -> None:
    checks, notes = leaks.judge(plots, part(300), part(99, noise=0.0))

    assert [check.code for check in checks] == ["leak.repeated_rows"]
    assert notes == ("99 held-out rows are too few to suspect a model that is right about all of them",)


@pytest.mark.parametrize(("repeated", "verdict"), [(0, "pass"), (10, "pass"), (11, "fail")])
def test_rows_that_were_seen_before_are_counted(plots: UseCase, repeated: int, verdict: str) -> None:
    test = part(200)
    test.rows["_repeated"] = np.arange(200) < repeated

    check = judged(plots, part(300), test)["leak.repeated_rows"]

    assert check.verdict == verdict
    assert check.value == repeated / 200
    assert check.interval is not None
    assert check.interval[0] <= repeated / 200 < check.interval[1]
    assert ("gate.leaks.max_repeated" in check.message) == (verdict == "fail")
