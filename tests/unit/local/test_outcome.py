"""What came out of a training, and what the live endpoint answers, in words."""

from __future__ import annotations

from typing import Any

import pytest

from local.errors import RunError
from local.outcome import ask, candidate, way_back
from local.runs import Airflow
from sluice.domain.use_case import UseCase
from tests.unit.local.conftest import Script
from tests.unit.local.training import PATH, RUN, holds, instance

PREDICT = "/api/v1/predict"


def said(script: Script, **row: Any) -> None:
    """Let the endpoint answer with one prediction."""
    script.answers[PREDICT] = {
        "model_version": 3,
        "unit": row.pop("unit", None),
        "level": 0.9,
        "predictions": [{"prediction_id": "p", **row}],
    }


def test_a_number_has_its_unit_and_interval(script: Script, line: UseCase) -> None:
    said(script, prediction=452600.04, interval=[31040.2, 500001], unit="USD")

    answer = ask(script.url, line, 3)

    assert answer.said == "452,600 USD"
    assert answer.doubts == (("90% interval", "31,040.2 to 500,001"),)
    assert (answer.version, answer.prediction_id) == (3, "p")


def test_a_number_may_have_neither(script: Script, line: UseCase) -> None:
    said(script, prediction=0.00001, interval=None)

    assert (ask(script.url, line, 3).said, ask(script.url, line, 3).doubts) == ("0.00001", ())


def test_a_class_has_its_title_probabilities_and_set(script: Script, loans: UseCase) -> None:
    said(
        script,
        prediction="repaid",
        prediction_label="Repaid",
        probabilities={"lost": 0.1689, "repaid": 0.8311},
        prediction_set=["lost", "repaid"],
    )

    answer = ask(script.url, loans, 3)

    assert answer.said == "Repaid (repaid)"
    assert answer.doubts == (("probabilities", "Repaid 0.8311, Lost 0.1689"), ("90% set", "Lost, Repaid"))


def test_a_class_without_a_title_or_a_set_is_said_once(script: Script, loans: UseCase) -> None:
    plain = loans.model_copy(update={"labels": {}})
    row = {"prediction": "lost", "prediction_label": "lost", "probabilities": {"lost": 1.0, "repaid": 0.0}}
    said(script, **row, prediction_set=None)

    answer = ask(script.url, plain, 3)

    assert answer.said == "lost"
    assert answer.doubts == (("probabilities", "lost 1, repaid 0"),)


def test_another_version_is_no_answer(script: Script, line: UseCase) -> None:
    said(script, prediction=1.0, interval=None)

    with pytest.raises(RunError, match="version 4 does not answer"):
        ask(script.url, line, 4, patience=0)


@pytest.mark.parametrize(
    ("processes", "words"), [(1, "live in 1 process"), (2, "live in 2 processes"), (None, "nothing was changed")]
)
def test_a_way_back_says_where_it_is_live_or_that_nothing_changed(
    script: Script, airflow: Airflow, processes: int | None, words: str
) -> None:
    state = "success" if processes else "skipped"
    holds(script, instance("choose", state, "2026-01-01T00:00:05Z", 3))
    script.answers[f"{PATH}/taskInstances/confirm_live/xcomEntries/return_value"] = {"value": processes}

    assert words in way_back(airflow, RUN)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("success", "version 7 is the candidate"),
        ("skipped", "nothing has changed since version 7 was made: it is the candidate again (again=true trains anew)"),
    ],
    ids=["trained", "recognised"],
)
def test_a_training_that_was_recognised_says_so(script: Script, airflow: Airflow, state: str, words: str) -> None:
    holds(
        script,
        instance("open_study", state, "2026-01-01T00:00:05Z", 3),
        instance("search", state, "2026-01-01T00:00:06Z", 2),
        instance("register_candidate", "success", "2026-01-01T00:00:07Z", 1),
    )
    script.answers[f"{PATH}/taskInstances/register_candidate/xcomEntries/return_value"] = {"value": 7}

    assert candidate(airflow, RUN) == words
