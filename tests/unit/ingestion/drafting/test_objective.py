"""What a target column is taken for, and what cannot be one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sluice.domain.errors import DataError, SpecError
from sluice.domain.measures import Task
from sluice.ingestion.drafting import contents, objective, profile
from sluice.ingestion.drafting.objective import Objective
from tests.unit.ingestion.drafting import files


def choose(
    folder: Path, texts: list[str], target: str = "y", task: Task | None = None, positive: str | None = None
) -> Objective:
    path = files.write(folder / "f.csv", ["Income", "y"], [(str(i), text) for i, text in enumerate(texts)])
    return objective.choose(profile.take(contents.read(path)), target, task, positive)


@pytest.mark.parametrize(
    ("texts", "task", "classes"),
    [
        (["no", "yes", "no"], "binary", {"no": 40, "yes": 20}),
        (["0", "1", "0"], "binary", {"0": 40, "1": 20}),
        (["0.0", "1.0"], "binary", {"0.0": 20, "1.0": 20}),
        (["-1", "1", "1"], "binary", {"-1": 20, "1": 40}),
        (["b", "a", "c"], "multiclass", {"a": 20, "b": 20, "c": 20}),
        (["10", "9", "8"], "multiclass", {"8": 20, "9": 20, "10": 20}),
        (["1.5", "2.5", "3.5"], "regression", {}),
        ([str(i) for i in range(30)], "regression", {}),
    ],
)
def test_the_task_is_told_from_the_values(
    tmp_path: Path, texts: list[str], task: Task, classes: dict[str, int]
) -> None:
    found = choose(tmp_path, texts * 20)
    assert (found.task, found.classes) == (task, classes)
    assert list(found.classes) == list(classes)


def test_a_person_may_say_the_task(tmp_path: Path) -> None:
    assert choose(tmp_path, ["1", "2", "3"] * 20, task="regression").task == "regression"
    with pytest.raises(SpecError, match="needs numbers, and the target holds values such as 'a'"):
        choose(tmp_path, ["a", "b"] * 20, task="regression")
    with pytest.raises(SpecError, match="TASK=binary does not fit the target's 3 classes: a, b, c"):
        choose(tmp_path, ["a", "b", "c"] * 20, task="binary")


@pytest.mark.parametrize(
    ("texts", "positive", "why"),
    [
        (["no", "yes", "yes"], "yes", "it says yes"),
        (["-1", "1", "1"], "1", "it says yes"),
        (["benign", "malignant", "benign"], "malignant", "it is the rarer one"),
        (["a", "b"], "a", "it comes first in the alphabet"),
    ],
)
def test_the_positive_class_is_chosen_by_a_rule_that_is_told(
    tmp_path: Path, texts: list[str], positive: str, why: str
) -> None:
    found = choose(tmp_path, texts * 20)
    assert found.positive == positive
    assert f"{positive!r} is the positive class, because {why}" in found.reason
    assert found.order[-1] == positive
    assert np.mean(found.observed) == pytest.approx(np.mean([text == positive for text in texts]))


def test_a_person_may_say_the_positive_class(tmp_path: Path) -> None:
    assert choose(tmp_path, ["no", "yes"] * 20, positive="no").order == ("yes", "no")
    with pytest.raises(SpecError, match=r"POSITIVE=maybe is none .* the classes are: no, yes"):
        choose(tmp_path, ["no", "yes"] * 20, positive="maybe")
    with pytest.raises(SpecError, match="a number has no positive class"):
        choose(tmp_path, ["1.5", "2.5", "3.5"] * 20, positive="1.5")


def test_mixed_spellings_of_yes_and_no_are_a_boolean(tmp_path: Path) -> None:
    found = choose(tmp_path, ["yes", "TRUE", "no", "0"] * 10 + [""])
    assert (found.boolean, found.classes, found.positive) == (True, {"false": 20, "true": 20}, "true")
    assert np.isnan(found.observed[-1])


def test_rare_classes_are_given_up_only_where_few_rows_are_lost(tmp_path: Path) -> None:
    found = choose(tmp_path, ["a", "b"] * 200 + ["c"] * 7)
    assert (found.task, found.given_up, int(np.isnan(found.observed).sum())) == ("binary", {"c": 7}, 7)
    with pytest.raises(DataError, match=r"fewer than 8 different rows.*c \(7\)"):
        choose(tmp_path, ["a", "b"] * 20 + ["c"] * 7)


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (np.exp(np.linspace(0, 5, 200)), True),
        (np.linspace(1, 5, 200), False),
        (np.exp(np.linspace(0, 5, 200)) - 2, False),
    ],
    ids=["skewed", "even", "negative"],
)
def test_the_logarithm_of_a_skewed_target_is_learned(values: np.ndarray, log: bool) -> None:
    assert objective.learns_logarithm(values, np.ones(len(values), dtype=bool)) is log


@pytest.mark.parametrize(
    ("texts", "target", "says"),
    [
        (["a", "b"] * 20, "Y", "did you mean 'y'"),
        (["a", "b"] * 20, "income", "did you mean 'Income'"),
        (["a", "b"] * 20, "zebra", "there are: Income, y"),
        (["a"] * 40, "y", "one value only, 'a'"),
        (["", "NA"] * 20, "y", "has no values"),
        ([f"word {i}" for i in range(40)], "y", "too many for classes, and no numbers"),
        ([f"2024-01-{i:02}" for i in range(1, 29)], "y", "dates"),
        (["a", "b\nc"] * 20, "y", "values of the target hold line ends"),
        (["1", "1.0", "2", "3"] * 20, "y", "several ways: '1', '1.0'"),
    ],
)
def test_what_cannot_be_predicted_is_refused(tmp_path: Path, texts: list[str], target: str, says: str) -> None:
    with pytest.raises((SpecError, DataError), match=says) as error:
        choose(tmp_path, texts, target)
    assert error.value.action
