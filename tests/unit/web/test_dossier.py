from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.web.batches import COUNTED
from sluice.web.dossier import Dossier, dossier
from sluice.web.inquiry import inquire
from sluice.web.rights import STAGES
from tests.conftest import DATABASES, STATEMENTS, Server
from tests.unit.web import history
from tests.unit.web.history import History

Look = Callable[..., Any]
Told = dict[str, UseCase]

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def told(warehouse: Warehouse, use_cases: tuple[UseCase, ...]) -> Told:
    """Three use cases with a past: `calm`, `turned` and `drifting`."""
    named = dict(zip(("calm", "turned", "drifting"), use_cases[:3], strict=True))
    history.calm(warehouse, named["calm"].name, named["calm"].performance_metric, NOW)
    history.turned(warehouse, named["turned"].name, NOW)
    history.drifting(warehouse, named["drifting"].name, named["drifting"].performance_metric, NOW)
    return named


@pytest.fixture
def look(warehouse: Warehouse, told: Told) -> Look:
    """Gathers everything of one of them."""

    def gather(which: str, *stages: str) -> Dossier:
        with inquire(warehouse) as inquiry:
            return dossier(inquiry, told[which], frozenset(stages or STAGES), NOW)  # type: ignore[arg-type]

    return gather


def test_a_calm_use_case_is_well(look: Look) -> None:
    known = look("calm")

    assert known.promotion.champion == 2
    assert [made.version for made in known.promotion.releases] == [2]
    assert known.standing.incidents == ()
    assert {replica.tone for replica in known.promotion.replicas} == {"good"}


def test_a_decision_of_a_person_says_who_and_what_they_overruled(look: Look) -> None:
    forced, refused, rejected, first = look("turned").promotion.decisions

    assert (forced.code, forced.person, forced.overruled) == ("promote", "ada", "reject:change.rmse")
    assert (refused.code, refused.person, refused.tone) == ("reject:change.rmse", None, "bad")
    assert rejected.counted == "2 checks: 1 passed, 1 failed"
    assert first.champion is None


def test_what_did_not_pass_comes_first_with_its_value_and_limit(look: Look) -> None:
    check = look("turned").promotion.decisions[2].checks[0]

    assert (check.code, check.verdict, check.value, check.limit) == ("threshold.r2", "fail", 0.61, ">= 0.7")


def test_a_rollback_is_seen_in_what_served(look: Look) -> None:
    steps = look("turned").promotion.deployments

    assert [(step.action, step.what, step.actor) for step in steps] == [
        ("rollback", "version 1 serves", "grace"),
        ("promote", "version 3 serves", "ada"),
        ("promote", "version 1 serves", "gate"),
    ]


def test_drift_is_drawn_check_by_check(look: Look) -> None:
    course = look("drifting").course

    [line] = course.drift.lines
    assert len(line.dots) == 10
    assert [dot.tone for dot in line.dots].count("bad") == 5
    assert len(line.paths) == 2, "where a check could not tell, the line is broken"
    assert [(c.name, c.verdict, c.disagrees) for c in course.columns] == [
        ("income", "drifted", True),
        ("age", "stable", False),
    ]


def test_performance_is_drawn_by_what_it_rests_on(look: Look) -> None:
    course = look("drifting").course

    drawn = {line.name: [dot for dot in line.dots if dot.y is not None] for line in course.performance.lines}
    assert {name: len(dots) for name, dots in drawn.items()} == {
        "promised at promotion": 10,
        "estimated without labels": 10,
        "realised, from labels": 8,
    }
    newest = drawn["realised, from labels"][-1]
    assert newest.low < newest.y < newest.high
    assert [values["realised"] for _, values in course.measured][:3] == ["unknown", "unknown", "0.46 (0.437 to 0.483)"]
    slices = {figure.slice: figure.values for figure in course.figures}
    assert slices["city=London"] == {"realised": "0.5 (0.475 to 0.525)"}
    assert slices[""]["realised"] == "unknown"


def test_what_does_not_hold_comes_first(look: Look) -> None:
    findings = look("drifting").course.findings

    assert [(f.check, f.tone) for f in findings] == [
        ("volume", "unsure"),
        ("new_categories", "bad"),
        ("missing", "good"),
    ]


def test_a_rejected_batch_says_why_and_leads_to_its_report(look: Look) -> None:
    rejected, accepted = look("drifting").batches

    assert (rejected.status, rejected.tone, rejected.reason) == ("rejected", "bad", "111 of 900 rows are bad")
    assert rejected.reasons == (("not_a_number:age", 80), ("null:income", 31))
    assert "/validation/" in rejected.link
    assert (accepted.reasons, accepted.counted) == ((), None)


def test_of_very_many_bad_rows_the_first_are_counted(
    warehouse: Warehouse, look: Look, told: dict[str, UseCase]
) -> None:
    History(warehouse, told["calm"].name).batch("many", "rejected", COUNTED + 10, {"null:age": COUNTED + 10})

    [batch, *_] = look("calm").batches

    assert (batch.quarantined, batch.counted, batch.reasons) == (COUNTED + 10, COUNTED, (("null:age", COUNTED),))


def test_what_followed_a_breach_is_told(look: Look) -> None:
    [answer] = look("drifting").course.responses

    assert (answer["response"], answer["reason"]) == ("retrain", "5 of the last 7 checks found drift")


def test_a_process_that_is_silent_or_elsewhere_is_no_good_news(
    warehouse: Warehouse, look: Look, told: dict[str, UseCase]
) -> None:
    History(warehouse, told["turned"].name).replica(3, NOW, pid=9, reason="needs a new image")

    assert {(r.pid, r.tone) for r in look("turned").promotion.replicas} == {(7, "good"), (9, "bad")}
    [silent] = look("drifting").promotion.replicas
    assert (silent.tone, silent.reason) == ("unsure", "the registry does not answer")


def test_a_challenger_stands_beside_the_champion(warehouse: Warehouse, look: Look, told: Told) -> None:
    past = History(warehouse, told["calm"].name)
    decision = past.decision(3, "promote", NOW, {"threshold.r2": "pass"})
    past.release(3, NOW)
    steps = {"version": 3, "champion_version": 2, "policy": "{}", "yardstick": "{}", "step": 0}
    past.add("ml.canaries", decision_id=decision, **steps)
    past.deployment(3, NOW, "canary", share=0.1, from_version=2)

    promotion = look("calm").promotion

    assert promotion.champion == 2
    assert [(one.version, one.state) for one in promotion.challengers] == [(3, "running")]
    assert [made.version for made in promotion.releases] == [3, 2]
    assert promotion.deployments[0].what == "version 3 answers 10%"


def test_evidence_of_another_version_does_not_hide_the_decision(
    warehouse: Warehouse, look: Look, told: dict[str, UseCase]
) -> None:
    past = History(warehouse, told["turned"].name)
    past.decision(4, "reject:x", NOW, {}, evidence='[{"checks": "of long ago"}]')

    newest = look("turned").promotion.decisions[0]

    assert (newest.code, newest.checks) == ("reject:x", ())
    assert newest.evidence_error.startswith("written by another version of Sluice")


def test_a_part_is_for_those_who_may_read_its_stage(look: Look) -> None:
    known = look("drifting", "ingest")

    assert known.batches
    assert (known.promotion, known.course, known.standing.incidents) == (None, None, ())


def test_a_use_case_without_a_past_has_nothing_to_show(postgres_server: Server, housing: UseCase) -> None:
    empty = Warehouse(postgres_server.create(f"warehouse_{next(DATABASES)}", "migrated"), STATEMENTS)
    with inquire(empty) as inquiry:
        known = dossier(inquiry, housing, frozenset(STAGES), NOW)

    assert known.standing.verdict == "Nothing has happened yet"
    assert (known.course.drift, known.course.performance, known.batches) == (None, None, ())  # type: ignore[union-attr]


def test_a_replica_that_was_not_heard_of_for_a_day_is_forgotten(
    warehouse: Warehouse, look: Look, told: dict[str, UseCase]
) -> None:
    History(warehouse, told["calm"].name).replica(1, NOW - timedelta(days=2), pid=99)

    assert 99 not in {replica.pid for replica in look("calm").promotion.replicas}
