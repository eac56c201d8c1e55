from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.report import Report
from sluice.domain.use_case import UseCase
from sluice.web.facts import Fact, Tone
from sluice.web.incidents import Incident
from sluice.web.inquiry import inquire
from sluice.web.overview import Check, Row, Standing, checked, standings, told
from sluice.web.rights import STAGES
from tests.unit.web.history import History

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)
NAMES = [field.name for field in fields(Row)]
NOTHING = Row(**{**dict.fromkeys(NAMES), "use_case": "housing", "live": 0})  # type: ignore[arg-type]
CHECK = Check("housing", "drift", "unknown", "too few", "run-1", NOW, None)
INCIDENT = Incident("housing", "monitor drifted: income", "", "", 1, NOW, NOW, None)


def fact(row: Row, label: str) -> Fact:
    return next(f for f in told(row) if f.label == label)


def test_a_use_case_where_nothing_has_happened_says_so() -> None:
    known = (*told(NOTHING), *checked([]))

    assert [f.value for f in known] == ["none yet", "never seen", "none yet", "none yet"] + ["not checked yet"] * 3
    assert Standing("housing", "Housing", known).verdict == "Nothing has happened yet"


@pytest.mark.parametrize(
    ("processes", "versions", "value", "tone"),
    [
        (2, [3], "live", "good"),
        (2, [2, 3], "not on the champion", "bad"),
        (1, None, "not on the champion", "bad"),
        (0, None, "could not tell", "unsure"),
    ],
    ids=["all on it", "one behind", "serving nothing", "silent"],
)
def test_live_means_every_process_on_the_champion(
    processes: int, versions: list[int] | None, value: str, tone: Tone
) -> None:
    row = replace(NOTHING, champion=3, live=processes, versions=versions, seen_at=NOW)

    assert (fact(row, "Endpoint").value, fact(row, "Endpoint").tone) == (value, tone)


def test_an_endpoint_waits_for_the_first_champion_and_nothing_is_wrong() -> None:
    row = replace(NOTHING, live=1, seen_at=NOW)

    assert (fact(row, "Endpoint").value, fact(row, "Endpoint").tone) == ("waits for a champion", "plain")


@pytest.mark.parametrize(
    ("code", "tone"),
    [
        ("promote", "good"),
        ("reject:change.rmse", "bad"),
        ("reject:unchanged", "plain"),
        ("undecided:servable", "unsure"),
    ],
)
def test_an_undecided_candidate_is_neither_good_nor_bad(code: str, tone: Tone) -> None:
    row = replace(NOTHING, decision_code=code, decision_message="why", decided_version=4, decided_at=NOW)

    assert fact(row, "Last decision") == Fact("Last decision", code, tone, "Version 4: why", NOW)


def test_rows_are_counted_as_people_write_numbers() -> None:
    row = replace(NOTHING, batch_id=7, batch_status="accepted", batch_rows=44993, quarantined=1234, landed_at=NOW)

    assert fact(row, "Last batch").detail == "Batch 7: 44,993 rows, 1,234 quarantined"


def test_a_check_without_a_page_has_no_link() -> None:
    [drift, *_] = checked([CHECK])

    assert (drift.link, drift.tone) == (None, "unsure")
    [drift, *_] = checked([replace(CHECK, report_uri="x")])
    assert drift.link == Report.of_run("housing", "drift", "run-1").path


def test_a_decision_leads_to_its_page() -> None:
    row = replace(NOTHING, decision_code="promote", decision_message="why", decision_run="run-1", decision_uri="x")

    assert fact(row, "Last decision").link == Report.of_run("housing", "decision", "run-1").path


def test_a_shadow_is_seen_by_nobody() -> None:
    row = replace(NOTHING, challenger=4, challenger_share=0.0, challenger_at=NOW)

    assert fact(row, "Challenger") == Fact("Challenger", "version 4", "plain", "answers aside, unseen", NOW)


@pytest.mark.parametrize(
    ("tones", "incidents", "verdict", "tone"),
    [
        (("good", "plain"), (), "All well", "good"),
        (("good", "unsure"), (), "Could not tell: fact 1", "unsure"),
        (("bad", "unsure"), (), "Look at: fact 0", "bad"),
        (("good", "good"), (INCIDENT,), "Look at: 1 open incident", "bad"),
        (("good", "bad"), (INCIDENT, INCIDENT), "Look at: fact 1, 2 open incidents", "bad"),
    ],
)
def test_the_verdict_is_the_worst_that_is_known(
    tones: tuple[Tone, ...], incidents: tuple[Incident, ...], verdict: str, tone: Tone
) -> None:
    known = tuple(Fact(f"Fact {number}", "x", tone) for number, tone in enumerate(tones))

    standing = Standing("housing", "Housing", known, incidents)

    assert (standing.verdict, standing.tone) == (verdict, tone)


def test_the_newest_of_everything_is_shown(warehouse: Warehouse, housing: UseCase) -> None:
    history, hour = History(warehouse, "housing"), timedelta(hours=1)
    history.batch("a", bad={"null:age": 1})
    history.batch("b", "rejected", bad={"null:age": 99})
    history.deployment(1, NOW - 2 * hour)
    history.deployment(2, NOW - hour)
    history.replica(1, NOW - timedelta(minutes=5), pid=1)
    history.replica(2, NOW - timedelta(seconds=2), pid=2)
    decision = history.decision(3, "promote", NOW, {"threshold.r2": "pass"})
    steps = {"version": 3, "champion_version": 2, "policy": "{}", "yardstick": "{}", "step": 0}
    history.add("ml.canaries", decision_id=decision, **steps)
    history.deployment(3, NOW, "canary", share=0.1, from_version=2)
    history.check("drift", "stable", NOW)
    history.check("drift", "drifted", NOW - hour)
    history.check("performance", "degraded", NOW)
    history.incident("performance", "monitor", "rmse", NOW)

    with inquire(warehouse) as inquiry:
        (standing,) = standings(inquiry, [housing], {"housing": frozenset(STAGES)}, NOW)

    said = {f.label: f for f in standing.facts}
    assert said["Champion"].value == "version 2", "a challenger is no champion"
    assert (said["Challenger"].value, said["Challenger"].detail) == ("version 3", "answers 10% of the requests")
    assert said["Endpoint"].value == "live"
    assert said["Last batch"].detail == "Batch 2: 900 rows, 99 quarantined. 99 of 900 rows are bad"
    assert said["Drift"].value == "stable"
    assert said["Data quality"].value == "not checked yet"
    assert standing.verdict == "Look at: last batch, performance, 1 open incident"


def test_what_is_of_a_stage_is_for_those_who_may_read_its_dag(warehouse: Warehouse, housing: UseCase) -> None:
    with inquire(warehouse) as inquiry:
        (standing,) = standings(inquiry, [housing], {"housing": frozenset(["ingest"])}, NOW)

    assert [f.label for f in standing.facts] == ["Last batch"]
    assert not standing.incidents
