"""The ledger tells of every moment what served, how that came, and what was tried beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.release import ledger
from sluice.release.ledger import Challenger, served_at

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)

MOVE = """
INSERT INTO ml.deployments
    (use_case, from_version, to_version, decision_id, actor, reason, action, share, deployed_at)
VALUES ('told', %(before)s, %(version)s, %(decision)s, %(actor)s, %(reason)s, %(action)s, %(share)s, %(at)s)
"""
DECISION = """
INSERT INTO ml.decisions (use_case, version, bundle_sha256, code, message, evidence, dag_run_id, decided_at)
VALUES ('told', %(version)s, %(digest)s, 'promote', %(message)s, '[]', 'run', %(at)s)
RETURNING decision_id
"""
RELEASE = """
INSERT INTO ml.releases
    (use_case, version, bundle_sha256, runtime_sha256, run_id, snapshot_id, bento, uri, removed_at)
VALUES ('told', %(version)s, %(digest)s, 'runtime', 'run', 'snap', 'told:v1', 'uri', %(removed)s)
"""


def hours(number: float) -> datetime:
    return BEGIN + timedelta(hours=number)


@pytest.fixture(scope="module")
def told(warehouse: Warehouse) -> Warehouse:
    """Hour 0: version 1. Hour 1: 2. Hour 2: 3 as canary, hour 3 with more. Hour 4: withdrawn. Hour 5: back to 1.

    Version 4 was released and never decided about, version 5 was decided about and removed.
    """
    warehouse.execute(
        "INSERT INTO ml.snapshots (snapshot_id, use_case, uri, sha256, rows, available_rows, train_rows,"
        " calibration_rows, test_rows, batch_ids) VALUES ('snap', 'told', '', '', 1, 1, 1, 0, 0, '{}')"
    )
    decisions = {}
    for version in (1, 2, 3, 4, 5):
        digest = f"digest {version}"
        warehouse.execute(RELEASE, {"version": version, "digest": digest, "removed": BEGIN if version == 5 else None})
        if version != 4:
            values = {"version": version, "digest": digest, "message": f"{version} is good", "at": hours(version - 2)}
            [row] = warehouse.rows(DECISION, values)
            decisions[version] = row["decision_id"]
    entries: tuple[tuple[float, int | None, int, str, float, str], ...] = (
        (0, None, 1, "promote", 1, "gate"),
        (1, 1, 2, "promote", 1, "gate"),
        (2, 2, 3, "canary", 0.1, "gate"),
        (3, 2, 3, "canary", 0.5, "watch"),
        (4, 2, 3, "withdraw", 0, "watch"),
        (5, 2, 1, "rollback", 1, "ann"),
    )
    for at, before, version, action, share, actor in entries:
        warehouse.execute(
            MOVE,
            {
                "before": before,
                "version": version,
                "decision": decisions[version] if action in ("promote", "canary") else None,
                "actor": actor,
                "reason": f"{action} {version}",
                "action": action,
                "share": share,
                "at": hours(at),
            },
        )
    return warehouse


@pytest.mark.parametrize(
    ("hour", "version", "challenger"),
    [
        (0, 1, None),
        (0.9, 1, None),
        (1.5, 2, None),
        (2.5, 2, Challenger(3, 0.1, hours(2))),
        (3.5, 2, Challenger(3, 0.5, hours(3))),
        (4.5, 2, None),
        (9, 1, None),
    ],
)
def test_each_moment_has_what_served_and_what_was_tried_beside_it(
    told: Warehouse, hour: float, version: int, challenger: Challenger | None
) -> None:
    served = served_at(told, "told", hours(hour))

    assert served is not None
    assert (served.version, served.challenger) == (version, challenger)


def test_what_served_is_told_with_how_it_came_and_what_it_is(told: Warehouse) -> None:
    served = served_at(told, "told", hours(1.5))

    assert served is not None
    assert (served.since, served.until) == (hours(1), hours(5))
    assert (served.action, served.actor, served.reason) == ("promote", "gate", "promote 2")
    assert served.decision == "2 is good"
    assert (served.bundle_sha256, served.snapshot_id, served.bento) == ("digest 2", "snap", "told:v1")


def test_a_way_back_stands_on_the_decision_that_let_the_release_serve_at_first(told: Warehouse) -> None:
    served = served_at(told, "told", hours(6))

    assert served is not None
    assert (served.action, served.actor, served.decision, served.until) == ("rollback", "ann", "1 is good", None)


@pytest.mark.parametrize(("use_case", "hour"), [("told", -0.1), ("another", 9)], ids=["before", "another use case"])
def test_nothing_served_before_the_first_promotion(told: Warehouse, use_case: str, hour: float) -> None:
    assert served_at(told, use_case, hours(hour)) is None


def test_the_beginning_is_the_first_promotion(told: Warehouse) -> None:
    assert ledger.began(told, "told") == hours(0)
    assert ledger.began(told, "another") is None


def test_the_last_moves_come_newest_first(told: Warehouse) -> None:
    moves = ledger.moves(told, "told", 2)

    assert [(move.action, move.from_version, move.to_version) for move in moves] == [
        ("rollback", 2, 1),
        ("withdraw", 2, 3),
    ]


def test_what_served_before_is_what_a_promotion_followed(told: Warehouse) -> None:
    assert ledger.previous(told, "told", 2) == 1
    assert ledger.previous(told, "told", 3) is None, "a canary never served alone"


def test_what_a_rollback_left_is_not_what_served_before(told: Warehouse) -> None:
    """Version 1 followed nothing; that version 2 was left for it does not make 2 a way back."""
    assert ledger.previous(told, "told", 1) is None


def test_releases_are_told_with_whether_they_may_serve(told: Warehouse) -> None:
    known = ledger.published(told, "told")

    assert [(each.release.version, each.may_serve, each.removed_at is None) for each in known] == [
        (5, True, False),
        (4, False, True),
        (3, True, True),
        (2, True, True),
        (1, True, True),
    ]
