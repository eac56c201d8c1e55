"""Evidence gathered anew replaces what was; a decision is never rewritten, and what people say stands beside it."""

import psycopg2
import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.evidence import Check, Curve, Decision, Evidence, Subject
from sluice.domain.report import Report
from sluice.gate.decision import decisions, discard_evidence, read_evidence, store_decision, store_evidence

SUBJECT = Subject(use_case="line", version=2, bundle_sha256="b", champion_version=1, champion_bundle_sha256="c")
CHECK = Check(code="change.rmse", verdict="pass", message="better", value=0.1, interval=(0.05, 0.15))
CURVE = Curve(said=(1.0, 2.0), observed=(1.5, 2.0), low=(0.5, 1.0), high=(2.0, 3.0), rows=(20, 21))
GOOD = Evidence(
    subject=SUBJECT, blessing="good_enough", checks=(CHECK,), metrics={"r2": 0.9}, test_rows=400, curve=CURVE
)
SERVABLE = Evidence(subject=SUBJECT, blessing="servable", checks=(CHECK,))
YES = Decision(code="promote", message="yes")


@pytest.fixture(autouse=True)
def _gathered(warehouse: Warehouse) -> None:
    for evidence in (GOOD, SERVABLE):
        store_evidence(warehouse, "run", evidence)


def test_evidence_is_read_as_it_was_stored(warehouse: Warehouse) -> None:
    assert read_evidence(warehouse, "line", "run") == (GOOD, SERVABLE)


def test_evidence_belongs_to_its_run_and_use_case(warehouse: Warehouse) -> None:
    assert read_evidence(warehouse, "line", "another run") == ()
    assert read_evidence(warehouse, "circle", "run") == ()


def test_gathering_again_replaces(warehouse: Warehouse) -> None:
    store_evidence(warehouse, "run", SERVABLE.model_copy(update={"notes": ("again",)}))

    assert [e.notes for e in read_evidence(warehouse, "line", "run") if e.blessing == "servable"] == [("again",)]


def test_discarded_evidence_is_gone(warehouse: Warehouse) -> None:
    discard_evidence(warehouse, "line", "run", "servable")

    assert read_evidence(warehouse, "line", "run") == (GOOD,)


def test_a_decision_is_never_rewritten(warehouse: Warehouse) -> None:
    store_decision(warehouse, "twice", SUBJECT, Decision(code="reject:x", message="no"), (GOOD,))
    store_decision(warehouse, "twice", SUBJECT, YES, (GOOD, SERVABLE))

    newest, before = decisions(warehouse, "line", "twice")
    assert (before.decision.code, newest.decision.code) == ("reject:x", "promote")
    assert (before.evidence, newest.evidence) == ((GOOD,), (GOOD, SERVABLE))
    for statement in ("UPDATE ml.decisions SET code = 'promote'", "DELETE FROM ml.decisions"):
        with pytest.raises(psycopg2.Error, match="ledger"):
            warehouse.execute(statement)


def test_what_a_person_says_is_a_decision_of_its_own_about_the_gates(warehouse: Warehouse) -> None:
    number = store_decision(warehouse, "forced", SUBJECT, Decision(code="reject:x", message="no"), (GOOD,))
    forced = Decision(code="promote", message="forced: for the fair", actor="ann")
    store_decision(warehouse, "forced", SUBJECT, forced, (GOOD,), overrides=number)

    theirs, gates = decisions(warehouse, "line", "forced")
    assert (gates.decision_id, gates.decision.actor, gates.is_of_the_gate) == (number, "gate", True)
    assert (theirs.decision, theirs.overrides, theirs.is_of_the_gate) == (forced, number, False)
    assert (theirs.version, theirs.bundle_sha256, theirs.champion_version) == (2, "b", 1)


def test_a_decision_knows_its_page_before_there_is_one(warehouse: Warehouse) -> None:
    number = store_decision(warehouse, "manual__2026-05-01", SUBJECT, YES, (GOOD,))

    [entry] = decisions(warehouse, "line", "manual__2026-05-01")
    [row] = warehouse.rows("SELECT report_uri FROM ml.decisions WHERE decision_id = %(id)s", {"id": number})
    assert row["report_uri"] == entry.report.path
    assert entry.report == Report.of_run("line", "decision", "manual__2026-05-01")


def test_decisions_belong_to_their_run_and_use_case(warehouse: Warehouse) -> None:
    store_decision(warehouse, "own", SUBJECT, YES, (GOOD,))

    assert decisions(warehouse, "circle", "own") == ()
    assert decisions(warehouse, "line", "no such run") == ()
