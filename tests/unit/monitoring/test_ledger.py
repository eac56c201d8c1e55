from datetime import timedelta
from typing import Any

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.monitoring import ledger
from sluice.monitoring.drift import Drift, Verdict
from sluice.monitoring.quality import DataQuality
from sluice.monitoring.report import Occasion, store_drift, store_quality
from sluice.monitoring.windows import Window
from tests.unit.monitoring.conftest import NOON

DAY = timedelta(days=1)


@pytest.fixture
def strict(parcels: UseCase) -> UseCase:
    """Parcels that are trained again after the second drift of three, and where bad data asks a person."""
    changes: dict[str, Any] = {
        "drift": parcels.monitoring.drift.model_copy(update={"response": "retrain"}),
        "quality": parcels.monitoring.quality.model_copy(update={"response": "approval"}),
        "breaches": 2,
        "windows": 3,
        "cool_down_days": 7.0,
    }
    return parcels.model_copy(update={"monitoring": parcels.monitoring.model_copy(update=changes)})


def look(warehouse: Warehouse, use_case: UseCase, day: int, verdict: Verdict = "drifted", version: int = 1) -> str:
    """A drift check of a day; the name of its run."""
    drift = Drift(version, verdict, f"{verdict}.", Window("validated", 300), 900)
    store_drift(warehouse, use_case, drift, Occasion(f"run-{day}", NOON + day * DAY, "advice", None))
    return f"run-{day}"


def look_at_quality(warehouse: Warehouse, use_case: UseCase, day: int) -> str:
    quality = DataQuality(1, "degraded", "Bad.", "batch", 300, 900, NOON, NOON, ())
    store_quality(warehouse, use_case, quality, Occasion(f"run-{day}", NOON + day * DAY, "advice", None))
    return f"run-{day}"


def followed(warehouse: Warehouse, use_case: UseCase, run: str) -> dict[str, str]:
    return {each.breach: each.response for each in ledger.respond(warehouse, use_case, run)}


def test_one_drift_is_one_training_and_another_after_the_cool_down(empty: Warehouse, strict: UseCase) -> None:
    answers = [followed(empty, strict, look(empty, strict, day)).get("drift") for day in range(10)]

    assert answers == ["nothing", "retrain", *["alert"] * 6, "retrain", "alert"]


def test_a_stable_day_needs_no_response(empty: Warehouse, strict: UseCase) -> None:
    look(empty, strict, 0)

    assert ledger.respond(empty, strict, look(empty, strict, 1, "stable")) == ()
    assert ledger.respond(empty, strict, look(empty, strict, 2, "unknown")) == ()
    assert empty.rows("SELECT * FROM monitoring.responses") == []


def test_what_was_found_of_another_release_says_nothing_of_this_one(empty: Warehouse, strict: UseCase) -> None:
    look(empty, strict, 0, version=1)

    assert followed(empty, strict, look(empty, strict, 1, version=2)) == {"drift": "nothing"}


def test_what_came_later_does_not_count(empty: Warehouse, strict: UseCase) -> None:
    look(empty, strict, 5)

    assert followed(empty, strict, look(empty, strict, 1)) == {"drift": "nothing"}


def test_of_several_breaches_of_one_run_one_asks_for_a_training(empty: Warehouse, strict: UseCase) -> None:
    for day in (0, 1):
        look(empty, strict, day)
        run = look_at_quality(empty, strict, day)

    assert followed(empty, strict, run) == {"drift": "retrain", "quality": "alert"}


def test_a_run_that_responds_again_replaces_what_it_said(empty: Warehouse, strict: UseCase) -> None:
    look(empty, strict, 0)
    run = look(empty, strict, 1)
    assert followed(empty, strict, run) == {"drift": "retrain"}

    assert followed(empty, strict, run) == {"drift": "retrain"}
    look(empty, strict, 1, "stable")
    assert followed(empty, strict, run) == {}
    assert ledger.responses(empty, strict, run) == ()


@pytest.mark.parametrize(
    ("said", "next_one"), [("no", "alert"), ("yes", "alert"), ("lapsed", "approval")], ids=["no", "yes", "lapsed"]
)
def test_a_question_that_nobody_answered_is_asked_again(
    empty: Warehouse, strict: UseCase, said: ledger.Said, next_one: str
) -> None:
    look_at_quality(empty, strict, 0)
    run = look_at_quality(empty, strict, 1)
    assert followed(empty, strict, run) == {"quality": "approval"}

    ledger.record_answer(empty, strict, run, said, "ann", "why not")

    [kept] = ledger.responses(empty, strict, run)
    assert (kept.answer, kept.actor, kept.answer_reason) == (said, "ann", "why not")
    assert followed(empty, strict, look_at_quality(empty, strict, 2)) == {"quality": next_one}


def test_the_training_that_follows_is_kept_with_what_it_follows(empty: Warehouse, strict: UseCase) -> None:
    for day in (0, 1):
        look(empty, strict, day)
        run = look_at_quality(empty, strict, day)
    ledger.respond(empty, strict, run)

    ledger.record_training(empty, strict, run, "monitor__run-1")

    kept = empty.rows("SELECT breach, training_run_id FROM monitoring.responses ORDER BY breach")
    assert [tuple(row.values()) for row in kept] == [("drift", "monitor__run-1"), ("quality", None)]


def test_the_advice_knows_the_other_checks_of_the_release(empty: Warehouse, strict: UseCase) -> None:
    look_at_quality(empty, strict, 0)

    assert "mend the data first" in ledger.advise(empty, strict, "drift", 1, "drifted", NOON)
    assert "mend the data first" not in ledger.advise(empty, strict, "drift", 2, "drifted", NOON)
    assert "mend the data first" not in ledger.advise(empty, strict, "drift", 1, "drifted", NOON - DAY)
