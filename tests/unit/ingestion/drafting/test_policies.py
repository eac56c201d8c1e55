"""A drafted gate is wider than the defaults where the data says that it must be."""

from __future__ import annotations

import dataclasses

import pytest

from sluice.domain.policy import Gate
from sluice.ingestion.drafting import assumptions, baseline, contents, policies, profile
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.baseline import Baseline
from tests.unit.ingestion.drafting import files


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Assumptions, Baseline]:
    """Three kinds of wine, which a plain model tells apart nearly always."""
    path = files.wine(tmp_path_factory.mktemp("wine") / "wine.csv")
    assumed = assumptions.assume("wine", profile.take(contents.read(path)), "target")
    return assumed, baseline.reach(assumed.inputs, assumed.observed, assumed.problem)


def reaching(reached: Baseline, mean: float, deviation: float = 0.0) -> Baseline:
    return dataclasses.replace(reached, mean={"roc_auc": mean}, deviation={"roc_auc": deviation})


def test_what_is_easy_and_has_few_rows_is_not_suspected(wine: tuple[Assumptions, Baseline]) -> None:
    allowed = {part: values for part, (_, values) in policies.allowances(*wine).items()}

    assert allowed.pop("calibration").keys() == {"max_error", "max_undercoverage"}
    assert allowed == {"leaks": {"max_score": 1, "max_alone": 1}}


@pytest.mark.parametrize(
    ("rows", "allowed"), [(148, 0.09), (20, 0.28), (2000, None)], ids=["few", "hardly any", "plenty"]
)
def test_what_a_set_may_cover_too_little_follows_from_the_rows_it_is_calibrated_on(
    wine: tuple[Assumptions, Baseline], rows: int, allowed: float | None
) -> None:
    assumed, reached = wine
    parts = dataclasses.replace(assumed.parts, counts={"train": 5000, "test": 5000, "calibration": rows})

    found = policies.allowances(dataclasses.replace(assumed, parts=parts), reaching(reached, 0.9))

    assert found.get("calibration", ("", {}))[1].get("max_undercoverage") == allowed


@pytest.mark.parametrize(
    ("mean", "deviation", "part", "values"),
    [
        pytest.param(0.6, 0.0, "generalisation", {"max_gap": 0.45}, id="hard"),
        pytest.param(0.995, 0.0, "leaks", {"max_alone": 0.999}, id="nearly always right"),
        pytest.param(0.995, 0.003, "leaks", {"max_score": 1, "max_alone": 1}, id="perhaps always right"),
    ],
)
def test_the_plain_model_says_what_is_allowed(
    wine: tuple[Assumptions, Baseline], mean: float, deviation: float, part: str, values: dict[str, float]
) -> None:
    assumed, reached = wine

    allowed = policies.allowances(assumed, reaching(reached, mean, deviation))

    assert allowed[part][1] == values
    Gate.model_validate({"thresholds": {"f1": {"min": 0.5}}, part: values})


def test_the_defaults_are_left_where_they_will_do(wine: tuple[Assumptions, Baseline]) -> None:
    assumed, reached = wine

    assert set(policies.allowances(assumed, reaching(reached, 0.9))) == {"calibration"}
