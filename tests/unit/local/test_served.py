"""What served when, in words; moments and ways back in the words of whoever asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local.errors import RunError, StackError
from local.served import details, history, moment, sentence, served, way_back
from sluice.adapters.warehouse import Warehouse
from sluice.release.ledger import Challenger, Move, Served

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

FOUND = Served(
    use_case="housing",
    version=3,
    since=NOON,
    until=None,
    action="promote",
    actor="gate",
    reason="all checks passed",
    decision_id=7,
    decision="all checks passed",
    bento="housing:v3-abc",
    bundle_sha256="abc",
    run_id="run",
    snapshot_id="snap",
    challenger=Challenger(4, 0.1, NOON),
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", NOW),
        ("  ", NOW),
        ("2026-11-20 12:00", NOON),
        (" 2026-11-20T12:00:00 ", NOON),
        ("2026-11-20 14:00+02:00", NOON),
        ("2026-11-20", NOON - timedelta(hours=12)),
    ],
)
def test_a_moment_is_in_utc_where_it_names_no_other_zone(text: str, meant: datetime) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize("text", ["yesterday", "20.11.2026", "12:00", "2026-13-01"])
def test_what_is_no_moment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(StackError, match=r"is no moment -> write it as AT='2026-11-20 12:00'"):
        moment(text, NOW)


def test_what_has_not_come_yet_cannot_be_asked_for() -> None:
    with pytest.raises(StackError, match=r"2026-11-21 12:01:00 UTC has not come yet -> .*before 2026-11-21 12:00:00"):
        moment("2026-11-21 12:01", NOW)


def test_where_nothing_served_that_is_said(warehouse: Warehouse) -> None:
    with pytest.raises(RunError, match=r"nothing served housing at 2026-11-20 12:00:00 UTC .*promote a version first"):
        served(warehouse, "housing", NOON)


def test_before_the_first_version_one_is_told_when_that_was(warehouse: Warehouse) -> None:
    warehouse.execute(
        "INSERT INTO ml.deployments (use_case, to_version, actor, reason, deployed_at)"
        " VALUES ('loan', 1, 'gate', 'good', %(at)s)",
        {"at": NOW},
    )

    with pytest.raises(RunError, match=r"nothing served loan .*from 2026-11-21 12:00:00 UTC on"):
        served(warehouse, "loan", NOON)
    assert served(warehouse, "loan", NOW).version == 1


def test_what_serves_and_what_served_are_told_apart() -> None:
    past = Served(**{**vars(FOUND), "until": NOW})

    assert sentence(FOUND, now=True) == "version 3 of housing serves since 2026-11-20 12:00:00 UTC"
    assert sentence(past, now=False) == (
        "version 3 of housing served since 2026-11-20 12:00:00 UTC until 2026-11-21 12:00:00 UTC"
    )


def test_the_details_are_who_why_by_which_decision_from_what_and_beside_what() -> None:
    assert dict(details(FOUND)) == {
        "promoted": "by gate: all checks passed",
        "decision": "7: all checks passed",
        "release": "housing:v3-abc, bundle abc",
        "trained": "run run on snapshot snap",
        "challenger": "version 4 answers 10% of the requests since 2026-11-20 12:00:00 UTC",
    }


def test_who_went_back_is_told_as_such() -> None:
    back = Served(**{**vars(FOUND), "action": "rollback", "actor": "ann", "reason": "wrong prices"})

    assert dict(details(back))["rolled back"] == "by ann: wrong prices"


def test_a_shadow_answers_nobody() -> None:
    shadowed = Served(**{**vars(FOUND), "challenger": Challenger(4, 0, NOON)})

    assert dict(details(shadowed))["challenger"].startswith("version 4 answers nobody, in shadow,")


def test_moves_are_told_one_by_one() -> None:
    moves = (
        Move(NOW, "rollback", 3, 2, 1, "ann", "wrong prices"),
        Move(NOON, "canary", 2, 3, 0.25, "gate", "good"),
        Move(NOON, "canary", 2, 3, 0, "gate", "good"),
    )

    assert list(history(moves)) == [
        ("2026-11-21 12:00:00 UTC", "rolled back to 2 by ann: wrong prices"),
        ("2026-11-20 12:00:00 UTC", "tried 3 with 25% by gate: good"),
        ("2026-11-20 12:00:00 UTC", "tried 3 in shadow by gate: good"),
    ]


def test_the_fields_of_a_way_back_are_those_of_the_form() -> None:
    assert way_back("housing", "", " wrong prices ") == {"reason": "wrong prices"}
    assert way_back("housing", "3", "wrong prices") == {"reason": "wrong prices", "to": 3}


@pytest.mark.parametrize(
    ("to", "reason", "said"),
    [("", "", "needs a reason"), ("3", "  ", "needs a reason"), ("v3", "wrong prices", "'v3' is no version")],
)
def test_a_way_back_without_what_it_needs_is_refused_with_an_example(to: str, reason: str, said: str) -> None:
    with pytest.raises(StackError, match=rf"{said}.*make rollback USE_CASE=housing TO=3 REASON="):
        way_back("housing", to, reason)
