"""The steps of the monitoring DAG on a real registry, ledger and store: what they keep, and what follows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.report import Report
from sluice.monitoring import ledger
from sluice.monitoring.drift import Drift, Verdict
from sluice.monitoring.report import Occasion, store_drift
from sluice.monitoring.windows import Window
from sluice.orchestration import specs
from sluice.orchestration.monitor import about, asked, check_drift, check_performance, check_quality, pick_champion
from sluice.orchestration.responding import (
    NO_REASON,
    NOBODY,
    compose_question,
    decide_training,
    record_answer,
    respond,
)
from sluice.settings import settings
from sluice.web.links import REPORT_XCOM
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow

RUNS = count(1)
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)
DAILY = {"current": "auto", "from": None, "to": None, "reason": None}
SPEC: dict[str, Any] = {
    "name": USE_CASE,
    "title": "Rents",
    "task": "regression",
    "target": "rent",
    "owner": {"name": "Tests", "alerts": ["ops@example.test"]},
    "columns": [
        {"name": "income", "type": "number"},
        {"name": "rooms", "type": "integer", "nullable": True},
        {"name": "furnished", "type": "boolean"},
        {"name": "place", "type": "category", "categories": ["INLAND", "NEAR BAY"]},
        {"name": "rent", "type": "number"},
    ],
    "training": {"families": {"ridge": {}}},
    "gate": {"thresholds": {"r2": {"min": 0.5}}},
    "serving": {"example": EXAMPLE, "missing": "impute"},
}


@dataclass(frozen=True)
class Asked:
    """A DAG run, as far as a step looks at it."""

    run_id: str
    logical_date: datetime | None = NOON
    run_after: datetime = NOON + timedelta(days=1)


@dataclass
class Task:
    """A running task, as far as a step looks at it."""

    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.fixture(scope="module")
def platform(registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The services that the settings name."""
    folder = tmp_path_factory.mktemp("monitor")
    store = ObjectStore((folder / "store").as_uri())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_WAREHOUSE_DSN", warehouse.dsn)
        patch.setenv("SLUICE_OBJECT_STORE", store.root)
        patch.setenv("SLUICE_USE_CASES", str(folder / "use_cases"))
        patch.setenv("MLFLOW_TRACKING_URI", registry.url)
        settings.cache_clear()
        yield Platform(warehouse, Tracking(registry.url), store, folder)
    settings.cache_clear()


def follow(platform: Platform, response: str = "alert", **policy: Any) -> None:
    """Write a spec whose drift leads to a response, and forget what followed before."""
    spec = platform.scratch / "use_cases" / USE_CASE / "use_case.yaml"
    spec.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    spec.write_text(json.dumps(SPEC | {"monitoring": {"drift": {"response": response}, **policy}}), encoding="utf-8")
    platform.warehouse.execute("TRUNCATE monitoring.reports, monitoring.responses, monitoring.incidents CASCADE")


def found(platform: Platform, verdict: Verdict = "drifted", day: int = 0) -> str:
    """A run whose drift check has found something; its id."""
    run_id = f"run-{next(RUNS)}"
    drift = Drift(1, verdict, f"It is {verdict}.", Window("validated", 300), 900)
    occasion = Occasion(run_id, NOON + timedelta(days=day), "Look before you retrain.", "/sluice/reports/x")
    store_drift(platform.warehouse, specs.use_case(USE_CASE), drift, occasion)
    return run_id


def open_causes(platform: Platform) -> dict[str, str]:
    rows = platform.warehouse.rows("SELECT cause, kind FROM monitoring.incidents WHERE closed_at IS NULL")
    return {row["cause"]: row["kind"] for row in rows}


def answer(chosen: str, user: str | None = "bea", why: str | None = "it is spring") -> dict[str, Any]:
    """What the operator hands on."""
    by = {"id": user, "name": user} if user else None
    return {"chosen_options": [chosen], "params_input": {"answer_reason": why}, "responded_by_user": by}


def test_every_check_keeps_a_page_in_the_store_and_in_one_run_of_mlflow(platform: Platform) -> None:
    follow(platform)
    _, version = platform.register(Recipe())
    platform.tracking.point(USE_CASE, "champion", version)
    run = Asked("scheduled__2026-05-02T12:00:00+00:00")
    picked = pick_champion(USE_CASE, params=DAILY, dag_run=run)

    for kind, check in (("performance", check_performance), ("drift", check_drift), ("quality", check_quality)):
        task = Task()
        assert check(USE_CASE, picked, params=DAILY, dag_run=run, ti=task) == "unknown"

        page = Report.of_run(USE_CASE, kind, run.run_id)  # type: ignore[arg-type]
        assert task.pushed[REPORT_XCOM].endswith(page.path)
        assert "No ground to retrain" in platform.store.read_bytes(page.key).decode()

    files = {file.path for file in platform.tracking.client.list_artifacts(picked["journal"])}
    assert files == {"performance.html", "drift.html", "quality.html"}
    assert pick_champion(USE_CASE, params=DAILY, dag_run=run) == picked
    kept = ledger.checked(platform.warehouse, specs.use_case(USE_CASE), run.run_id)
    assert set(kept) == {"performance", "drift", "quality"}
    assert {(check.version, check.checked_for) for check in kept.values()} == {(version, NOON)}


@pytest.mark.parametrize("check", [check_performance, check_drift, check_quality])
def test_without_a_release_there_is_nothing_to_check(platform: Platform, check: Any) -> None:
    with pytest.raises(AirflowSkipException):
        check(USE_CASE, None, params=DAILY, dag_run=Asked("r"), ti=Task())


def test_a_breach_is_told_and_heals_when_it_is_stable(platform: Platform) -> None:
    follow(platform, "alert")

    assert respond(USE_CASE, run_id=found(platform), params=DAILY) == {"drift": "alert"}
    assert open_causes(platform) == {f"drift:{USE_CASE}": "drift"}
    assert respond(USE_CASE, run_id=found(platform, "unknown", day=1), params=DAILY) == {}
    assert open_causes(platform) == {f"drift:{USE_CASE}": "drift"}, "could not tell is not over"
    assert respond(USE_CASE, run_id=found(platform, "stable", day=2), params=DAILY) == {}
    assert open_causes(platform) == {}


def test_a_policy_of_nothing_is_silent(platform: Platform) -> None:
    follow(platform, "nothing")

    assert respond(USE_CASE, run_id=found(platform), params=DAILY) == {"drift": "nothing"}
    assert open_causes(platform) == {}


def test_one_breach_of_two_is_silent(platform: Platform) -> None:
    follow(platform, "alert", breaches=2, windows=5)

    assert respond(USE_CASE, run_id=found(platform), params=DAILY) == {"drift": "nothing"}
    assert open_causes(platform) == {}
    assert respond(USE_CASE, run_id=found(platform, day=1), params=DAILY) == {"drift": "alert"}
    assert open_causes(platform) == {f"drift:{USE_CASE}": "drift"}


def test_nothing_follows_from_a_window_that_was_asked_for(platform: Platform) -> None:
    follow(platform, "retrain")
    run = found(platform)

    with pytest.raises(AirflowSkipException, match="a window was asked for"):
        respond(USE_CASE, run_id=run, params=DAILY | {"current": "window"})

    with pytest.raises(AirflowSkipException, match="no training"):
        decide_training(USE_CASE, run_id=run)


def test_a_training_carries_the_reason_and_is_ordered_once(platform: Platform) -> None:
    follow(platform, "retrain")
    run = found(platform)
    assert respond(USE_CASE, run_id=run, params=DAILY) == {"drift": "retrain"}

    order = decide_training(USE_CASE, run_id=run)

    assert order["run_id"] == f"monitor__{run}"
    assert order["reason"].startswith("drift: It is drifted.")
    assert decide_training(USE_CASE, run_id=run) == order
    [kept] = platform.warehouse.rows("SELECT training_run_id FROM monitoring.responses")
    assert kept["training_run_id"] == f"monitor__{run}"
    later = found(platform, day=3)
    assert respond(USE_CASE, run_id=later, params=DAILY) == {"drift": "alert"}, "the cool-down lasts"
    with pytest.raises(AirflowSkipException, match="no training"):
        decide_training(USE_CASE, run_id=later)


def test_a_person_says_yes_to_a_training(platform: Platform) -> None:
    follow(platform, "approval")
    run = found(platform)
    assert respond(USE_CASE, run_id=run, params=DAILY) == {"drift": "approval"}

    question = compose_question(USE_CASE, run_id=run)
    assert "**drift: drifted**" in question
    assert "/sluice/reports/x" in question
    assert "Look before you retrain." in question
    assert record_answer(USE_CASE, answer("Retrain"), run_id=run) == "yes"

    assert decide_training(USE_CASE, run_id=run)["reason"].endswith("bea said yes: it is spring.")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (answer("Leave it"), ("no", "bea", "it is spring")),
        (answer("Leave it", why=" "), ("no", "bea", NO_REASON)),
        (answer("Leave it", user=None), ("lapsed", NOBODY, "nobody answered in time")),
    ],
    ids=["no", "no reason", "no answer"],
)
def test_without_a_yes_no_training_follows(
    platform: Platform, given: dict[str, Any], kept: tuple[str, str, str]
) -> None:
    follow(platform, "approval")
    run = found(platform)
    respond(USE_CASE, run_id=run, params=DAILY)

    record_answer(USE_CASE, given, run_id=run)

    [row] = platform.warehouse.rows("SELECT answer, actor, answer_reason FROM monitoring.responses")
    assert tuple(row.values()) == kept
    with pytest.raises(AirflowSkipException, match="no training"):
        decide_training(USE_CASE, run_id=run)


def test_marking_the_question_as_done_is_no_answer(platform: Platform) -> None:
    follow(platform, "approval")
    run = found(platform)
    respond(USE_CASE, run_id=run, params=DAILY)

    with pytest.raises(StateError, match="nobody has answered"):
        record_answer(USE_CASE, None, run_id=run)


def test_where_nothing_is_to_be_asked_nobody_is(platform: Platform) -> None:
    follow(platform, "approval")
    run = found(platform, "stable")
    respond(USE_CASE, run_id=run, params=DAILY)

    with pytest.raises(AirflowSkipException, match="nothing to ask"):
        compose_question(USE_CASE, run_id=run)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"current": "window"}, "'from' and 'to'"),
        ({"current": "window", "from": "2026-05-01T00:00:00Z"}, "needs 'to'"),
        ({"current": "window", "from": "2026-05-02", "to": "2026-05-01"}, "before it begins"),
        ({"current": "window", "from": "2026-05-01", "to": "2026-05-01"}, "before it begins"),
        ({"current": "window", "from": "yesterday", "to": "2026-05-01"}, "'from' is no moment: 'yesterday'"),
        ({"current": "auto", "from": "2026-05-01"}, "'auto' rows were asked for"),
    ],
    ids=["nothing", "half", "backwards", "empty", "words", "not asked for"],
)
def test_a_window_that_makes_no_sense_is_refused(params: dict[str, Any], says: str) -> None:
    with pytest.raises(StateError, match=says):
        asked(DAILY | params)


def test_a_window_is_what_was_asked_for_and_the_checks_are_about_its_end() -> None:
    params = DAILY | {"current": "window", "from": "2026-05-01T02:00:00+02:00", "to": "2026-05-01T12:30:00"}

    start, end = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
    assert asked(params) == (start, end)
    assert about(params, Asked("r")) == end
    assert asked(DAILY) is None
    assert about(DAILY, Asked("r")) == NOON
    assert about(DAILY, Asked("r", logical_date=None)) == NOON + timedelta(days=1)
