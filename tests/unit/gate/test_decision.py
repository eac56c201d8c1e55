"""Evidence gathered anew replaces what was; a decision is never rewritten."""

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.evidence import Check, Decision, Evidence, Subject
from sluice.gate.decision import discard_evidence, read_evidence, store_decision, store_evidence

SUBJECT = Subject(use_case="line", version=2, bundle_sha256="b", champion_version=1, champion_bundle_sha256="c")
CHECK = Check(code="change.rmse", verdict="pass", message="better", value=0.1, interval=(0.05, 0.15))
GOOD = Evidence(subject=SUBJECT, blessing="good_enough", checks=(CHECK,), metrics={"r2": 0.9}, test_rows=400)
SERVABLE = Evidence(subject=SUBJECT, blessing="servable", checks=(CHECK,))


@pytest.fixture(autouse=True)
def _gathered(warehouse: Warehouse) -> None:
    for evidence in (GOOD, SERVABLE):
        store_evidence(warehouse, "run", evidence)


def test_evidence_is_read_as_it_was_stored(warehouse: Warehouse) -> None:
    assert set(map(str, read_evidence(warehouse, "line", "run"))) == {str(GOOD), str(SERVABLE)}


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
    store_decision(warehouse, "run", SUBJECT, Decision(code="reject:x", message="no"), (GOOD,))
    store_decision(warehouse, "run", SUBJECT, Decision(code="promote", message="yes"), (GOOD, SERVABLE))

    rows = warehouse.rows("SELECT code, evidence FROM ml.decisions WHERE dag_run_id = 'run' ORDER BY decision_id")
    assert [row["code"] for row in rows] == ["reject:x", "promote"]
    assert [part["blessing"] for part in rows[1]["evidence"]] == ["good_enough", "servable"]
