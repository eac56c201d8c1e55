from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.report import Report
from sluice.domain.use_case import UseCase
from sluice.web.overview import Fact, Row, Tone, facts, standings

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)
NAMES = [field.name for field in fields(Row)]
NOTHING = Row(**{**dict.fromkeys(NAMES), "use_case": "housing", "live": 0})  # type: ignore[arg-type]


def fact(row: Row, label: str) -> Fact:
    return next(f for f in facts(row) if f.label == label)


def test_a_use_case_where_nothing_has_happened_says_so() -> None:
    assert [f.value for f in facts(NOTHING)] == [
        "none yet",
        "never seen",
        "none yet",
        "none yet",
        "not checked yet",
    ]


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
    row = replace(NOTHING, drift_verdict="unknown", drift_message="too few", drift_run="run-1", drift_at=NOW)

    assert fact(row, "Drift").link is None
    assert fact(row, "Drift").tone == "unsure"
    assert fact(replace(row, drift_uri="x"), "Drift").link == Report.of_run("housing", "drift", "run-1").path


def test_a_decision_leads_to_its_page() -> None:
    row = replace(NOTHING, decision_code="promote", decision_message="why", decision_run="run-1", decision_uri="x")

    assert fact(row, "Last decision").link == Report.of_run("housing", "decision", "run-1").path


def test_a_shadow_is_seen_by_nobody() -> None:
    row = replace(NOTHING, challenger=4, challenger_share=0.0, challenger_at=NOW)

    assert fact(row, "Challenger") == Fact("Challenger", "version 4", "plain", "answers aside, unseen", NOW)


def test_the_newest_of_everything_is_shown(warehouse: Warehouse, housing: UseCase) -> None:
    batch = (
        "INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows, quarantined, status, reason)"
        " VALUES ('housing', 'x', %(sha)s, 1, 900, %(bad)s, %(status)s, %(reason)s)"
    )
    warehouse.execute(batch, {"sha": "a", "bad": 1, "status": "accepted", "reason": None})
    warehouse.execute(batch, {"sha": "b", "bad": 99, "status": "rejected", "reason": "11 % are bad"})
    for version in (1, 2):
        warehouse.execute(
            "INSERT INTO ml.deployments (use_case, to_version, actor, reason)"
            " VALUES ('housing', %(version)s, 'gate', 'all checks passed')",
            {"version": version},
        )
    replica = (
        "INSERT INTO serving.replicas VALUES"
        " ('housing', 'host', %(pid)s, %(version)s, 'x', 'registry', 'ok', 'r', %(at)s, %(at)s)"
    )
    warehouse.execute(replica, {"pid": 1, "version": 1, "at": NOW - timedelta(minutes=5)})
    warehouse.execute(replica, {"pid": 2, "version": 2, "at": NOW - timedelta(seconds=2)})

    decided = (
        "INSERT INTO ml.decisions (use_case, version, code, message, evidence, dag_run_id)"
        " VALUES ('housing', 3, 'promote', 'good', '[]', 'run-3') RETURNING decision_id"
    )
    [decision] = warehouse.rows(decided)
    warehouse.execute(
        "INSERT INTO ml.canaries (use_case, version, champion_version, decision_id, policy, yardstick, step)"
        " VALUES ('housing', 3, 2, %(decision_id)s, '{}', '{}', 0)",
        decision,
    )
    warehouse.execute(
        "INSERT INTO ml.deployments (use_case, from_version, to_version, actor, reason, action, share)"
        " VALUES ('housing', 2, 3, 'gate', 'a first share', 'canary', 0.1)"
    )

    (standing,) = standings(warehouse, [housing], NOW)

    told = {f.label: f for f in standing.facts}
    assert told["Champion"].value == "version 2", "a challenger is no champion"
    assert (told["Challenger"].value, told["Challenger"].detail) == ("version 3", "answers 10% of the requests")
    assert told["Endpoint"].value == "live"
    assert told["Last batch"].detail.endswith("900 rows, 99 quarantined. 11 % are bad")
