"""What people say to a promotion: its steps on a real registry, ledger and store, and what nobody can talk into."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import StateError
from sluice.domain.evidence import NOBODY, Check, Evidence, Subject
from sluice.domain.release import Release
from sluice.domain.report import sealed
from sluice.gate.decision import Entry, decisions, store_evidence
from sluice.orchestration.approval import NO_REASON, compose_question, record_ruling
from sluice.orchestration.promote import decide_promotion, deploy, pick, report_decision
from sluice.release.ledger import Move, moves
from sluice.settings import settings
from tests.bentos.bundles import EXAMPLE, USE_CASE, Recipe
from tests.bentos.champions import Platform
from tests.bentos.servers import Mlflow

RUNS = count(1)
PASS = Check(code="threshold.r2", verdict="pass", message="good", value=0.9)
FAIL = Check(code="change.rmse", verdict="fail", message="worse", value=-0.1)
FORCE = {"version": 1, "force": True, "reason": "for the fair"}
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
    "gate": {"thresholds": {"r2": {"min": 0.5}}, "approval": "required", "approval_hours": 5},
    "serving": {"example": EXAMPLE, "missing": "impute"},
}


@dataclass(frozen=True)
class Asked:
    """A DAG run, as far as a step looks at it."""

    triggering_user_name: str | None = "ann"


@dataclass
class Task:
    """A running task, as far as a step looks at it."""

    pushed: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@dataclass(frozen=True)
class Promotion:
    """One run of the promotion DAG that has come as far as to decide."""

    platform: Platform
    release: Release
    subject: Subject
    run_id: str

    def gather(self, good_enough: Check | None = PASS, servable: Check | None = PASS) -> Promotion:
        """Keep evidence of one check for each blessing; None where a step was never run."""
        for blessing, check in (("good_enough", good_enough), ("servable", servable)):
            if check:
                evidence = Evidence(subject=self.subject, blessing=blessing, checks=(check,))
                store_evidence(self.platform.warehouse, self.run_id, evidence)
        return self

    def decide(self, user: str | None = "ann", **params: Any) -> dict[str, Any]:
        asked = {"version": None, "force": False, "reason": None, **params}
        return decide_promotion(
            USE_CASE, self.subject.model_dump(), run_id=self.run_id, params=asked, dag_run=Asked(user)
        )

    def answer(self, chosen: str, user: str | None = "bea", why: str | None = "looks right") -> int:
        """Let the question be answered as the operator hands it on."""
        by = {"id": user, "name": user} if user else None
        given = {"chosen_options": [chosen], "params_input": {"answer_reason": why}, "responded_by_user": by}
        return record_ruling(USE_CASE, self.subject.model_dump(), given, run_id=self.run_id)

    def deploy(self, **params: Any) -> int:
        given = {"reason": None, **params}
        return deploy(self.subject.model_dump(), asdict(self.release), None, run_id=self.run_id, params=given)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return decisions(self.platform.warehouse, USE_CASE, self.run_id)

    @property
    def champion(self) -> int | None:
        version = self.platform.tracking.aliased(USE_CASE, "champion")
        return version.number if version else None

    @property
    def last_move(self) -> Move:
        return moves(self.platform.warehouse, USE_CASE, 1)[0]


Begin = Callable[[], Promotion]


@pytest.fixture(scope="module")
def platform(registry: Mlflow, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The services that the settings name, and a spec that demands a person's yes."""
    folder = tmp_path_factory.mktemp("approval")
    store = ObjectStore((folder / "store").as_uri())
    spec = folder / "use_cases" / USE_CASE / "use_case.yaml"
    spec.parent.mkdir(parents=True)
    # JSON is YAML.
    spec.write_text(json.dumps(SPEC), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_WAREHOUSE_DSN", warehouse.dsn)
        patch.setenv("SLUICE_OBJECT_STORE", store.root)
        patch.setenv("SLUICE_USE_CASES", str(folder / "use_cases"))
        patch.setenv("MLFLOW_TRACKING_URI", registry.url)
        settings.cache_clear()
        yield Platform(warehouse, Tracking(registry.url), store, folder)
    settings.cache_clear()


@pytest.fixture
def begin(platform: Platform) -> Begin:
    """Begins a promotion of a new version against the champion of now."""

    def begun() -> Promotion:
        bundle, version = platform.register(Recipe(base=float(next(RUNS))))
        release = platform.publish(bundle, version)
        champion = platform.tracking.aliased(USE_CASE, "champion")
        subject = Subject(
            use_case=USE_CASE,
            version=version,
            bundle_sha256=bundle.sha256,
            champion_version=champion.number if champion else None,
            champion_bundle_sha256=champion.tags["bundle_sha256"] if champion else None,
        )
        return Promotion(platform, release, subject, f"run-{version}")

    return begun


@pytest.fixture
def promotion(begin: Begin) -> Promotion:
    """One of them."""
    return begin()


def test_what_passed_is_deployed_after_a_yes_in_the_name_of_who_said_it(promotion: Promotion) -> None:
    promotion.gather().decide()
    with pytest.raises(AirflowSkipException, match="needs_approval: the champion goes on serving"):
        promotion.deploy()

    number = promotion.answer("Approve")
    promotion.deploy(reason="why the run was started")

    ruling, gate = promotion.entries
    assert (gate.decision.code, gate.decision.actor) == ("needs_approval", "gate")
    assert (ruling.decision_id, ruling.overrides) == (number, gate.decision_id)
    assert (ruling.decision.code, ruling.decision.actor) == ("promote", "bea")
    assert promotion.champion == promotion.subject.version
    assert promotion.last_move.actor == "bea"
    assert promotion.last_move.reason.startswith("approved: looks right")


@pytest.mark.parametrize(
    ("user", "why", "code", "actor", "words"),
    [
        ("bea", "too risky", "reject:approval", "bea", "too risky"),
        ("bea", None, "reject:approval", "bea", NO_REASON),
        (None, None, "reject:approval_timeout", NOBODY, "nobody answered within 5 hours"),
    ],
    ids=["a person", "without a reason", "nobody in time"],
)
def test_a_no_leaves_the_champion_and_is_kept(
    promotion: Promotion, user: str | None, why: str | None, code: str, actor: str, words: str
) -> None:
    before = promotion.champion
    promotion.gather().decide()

    promotion.answer("Reject", user, why)

    with pytest.raises(AirflowSkipException, match=f"{code}: the champion goes on serving"):
        promotion.deploy()
    ruling = promotion.entries[0]
    assert (ruling.decision.code, ruling.decision.actor) == (code, actor)
    assert words in ruling.decision.message
    assert promotion.champion == before


def test_a_yes_that_nobody_gave_is_none(promotion: Promotion) -> None:
    promotion.gather().decide()

    promotion.answer("Approve", user=None)

    assert promotion.entries[0].decision.code == "reject:approval_timeout"


def test_a_question_that_was_marked_as_answered_is_no_answer(promotion: Promotion) -> None:
    promotion.gather().decide()

    with pytest.raises(StateError, match="nobody has answered"):
        record_ruling(USE_CASE, promotion.subject.model_dump(), None, run_id=promotion.run_id)

    with pytest.raises(AirflowSkipException, match="needs_approval"):
        promotion.deploy()


def test_an_answer_is_kept_once_and_another_one_beside_it(promotion: Promotion) -> None:
    promotion.gather().decide()

    first, again, other = (promotion.answer(chosen) for chosen in ("Reject", "Reject", "Approve"))

    assert first == again
    assert other != first
    assert [entry.decision.code for entry in promotion.entries] == ["promote", "reject:approval", "needs_approval"]
    assert {entry.overrides for entry in promotion.entries[:2]} == {promotion.entries[2].decision_id}


def test_a_yes_to_what_was_judged_anew_meanwhile_is_about_what_was_found_then(promotion: Promotion) -> None:
    promotion.gather().decide()
    promotion.gather(good_enough=FAIL)

    promotion.answer("Approve")

    assert promotion.entries[0].decision.code == "reject:change.rmse"


def test_the_question_is_put_only_where_there_is_something_to_approve(begin: Begin) -> None:
    passed, failed = begin().gather(), begin().gather(good_enough=FAIL)
    passed.decide()
    failed.decide()

    put = compose_question(USE_CASE, run_id=passed.run_id)

    assert f"Version {passed.subject.version} passed" in put
    assert f"({passed.entries[0].report.path})" in put
    with pytest.raises(AirflowSkipException, match=r"reject:change\.rmse: there is nothing to approve"):
        compose_question(USE_CASE, run_id=failed.run_id)


def test_force_is_entered_beside_what_the_gate_said_and_deployed_in_the_name_of_who_forced(
    promotion: Promotion,
) -> None:
    promotion.gather(good_enough=FAIL)

    promotion.decide(**FORCE)
    promotion.deploy(reason=FORCE["reason"])

    ruling, gate = promotion.entries
    assert (gate.decision.code, gate.decision.actor) == ("reject:change.rmse", "gate")
    assert (ruling.decision.code, ruling.decision.actor, ruling.overrides) == ("promote", "ann", gate.decision_id)
    assert (promotion.last_move.to_version, promotion.last_move.actor) == (promotion.subject.version, "ann")
    assert promotion.last_move.reason.startswith("forced: for the fair; set aside: change.rmse")


def test_force_does_not_stand_in_for_the_yes_to_what_passed(promotion: Promotion) -> None:
    promotion.gather().decide(**FORCE)

    assert [entry.decision.code for entry in promotion.entries] == ["needs_approval"]


@pytest.mark.parametrize("forced", [False, True], ids=["as it is", "by force"])
@pytest.mark.parametrize(
    ("good_enough", "servable", "code"),
    [
        (None, PASS, "undecided:no_evidence.good_enough"),
        (PASS, None, "undecided:no_evidence.servable"),
        (None, None, "undecided:no_evidence.good_enough"),
    ],
    ids=["judge_quality", "judge_servability", "both"],
)
def test_a_judging_step_that_was_marked_as_done_is_no_evidence(
    promotion: Promotion, good_enough: Check | None, servable: Check | None, code: str, forced: bool
) -> None:
    before = promotion.champion
    promotion.gather(good_enough, servable)

    with pytest.raises(StateError, match=code):
        promotion.decide(**(FORCE if forced else {}))

    with pytest.raises(AirflowSkipException, match=code):
        promotion.deploy()
    assert {entry.decision.code for entry in promotion.entries} == {code}
    assert promotion.champion == before


def test_what_is_not_servable_cannot_be_forced_and_the_attempt_is_kept(promotion: Promotion) -> None:
    broken = Check(code="golden_parity", verdict="fail", message="other answers")
    promotion.gather(servable=broken).decide(**FORCE)

    with pytest.raises(AirflowSkipException, match="reject:golden_parity"):
        promotion.deploy()

    attempt = promotion.entries[0]
    assert (attempt.decision.actor, attempt.decision.message) == ("ann", "it cannot be forced: other answers")


def test_what_is_not_promoted_is_an_incident_until_something_is(begin: Begin) -> None:
    doubtful, refused, good = begin().gather(good_enough=None), begin().gather(good_enough=FAIL), begin().gather()
    rows = (
        "SELECT alert ->> 'headline' AS about, occasion FROM monitoring.incidents"
        " WHERE closed_at IS NULL AND cause LIKE 'gate:%'"
    )

    with pytest.raises(StateError):
        doubtful.decide()
    [undecided] = good.platform.warehouse.rows(rows)
    refused.decide()
    [rejected] = good.platform.warehouse.rows(rows)
    good.decide()
    good.answer("Approve")

    assert undecided["about"] == f"version {doubtful.subject.version}, undecided:no_evidence.good_enough"
    assert undecided["occasion"] == f"{USE_CASE}_promote/{doubtful.run_id}", "the run fails for it"
    assert (rejected["about"], rejected["occasion"]) == (f"version {refused.subject.version}, reject:change.rmse", "")
    assert good.platform.warehouse.rows(rows) == []


def test_nothing_is_deployed_that_was_not_decided(promotion: Promotion) -> None:
    promotion.gather()

    with pytest.raises(StateError, match="nothing was decided in this run"):
        promotion.deploy()


def test_nothing_is_deployed_but_the_bundle_that_was_decided_on(begin: Begin) -> None:
    promotion, other = begin().gather(), begin()
    promotion.decide()
    promotion.answer("Approve")

    for altered in (
        Promotion(promotion.platform, other.release, promotion.subject, promotion.run_id),
        Promotion(promotion.platform, other.release, other.subject, promotion.run_id),
    ):
        with pytest.raises(StateError, match=f"and version {other.subject.version} with bundle"):
            altered.deploy()


def test_nothing_is_deployed_on_evidence_that_was_replaced(promotion: Promotion) -> None:
    promotion.gather().decide()
    promotion.answer("Approve")
    promotion.gather(good_enough=FAIL)

    with pytest.raises(StateError, match="evidence was gathered anew since"):
        promotion.deploy()


@pytest.mark.parametrize(
    ("lacking", "user", "words"),
    [
        ({"version": None}, "ann", "force needs a version"),
        ({"reason": None}, "ann", "force needs a reason"),
        ({"reason": "  "}, "ann", "force needs a reason"),
        ({}, None, "force needs a person who triggers the run"),
    ],
    ids=["no version", "no reason", "a blank reason", "nobody"],
)
def test_force_is_refused_at_once_without_version_reason_or_person(
    platform: Platform, lacking: dict[str, Any], user: str | None, words: str
) -> None:
    with pytest.raises(StateError, match=words):
        pick(USE_CASE, params={**FORCE, **lacking}, dag_run=Asked(user), triggering_asset_events=None)


def test_the_page_of_a_decision_is_in_airflow_and_with_the_candidates_run(promotion: Promotion, tmp_path: Path) -> None:
    promotion.gather(good_enough=FAIL).decide(**FORCE)
    task = Task()

    report_decision(USE_CASE, run_id=promotion.run_id, ti=task)

    address = promotion.entries[0].report
    page = promotion.platform.store.read_bytes(address.key)
    assert b"says ann" in page
    assert task.pushed == {"sluice_report": address.path}
    run = promotion.platform.tracking.version(USE_CASE, promotion.subject.version).run_id
    kept = promotion.platform.tracking.client.download_artifacts(run, f"gate/decision-{address.name}.html", tmp_path)
    assert sealed(Path(kept).read_text(encoding="utf-8")) == page


def test_a_page_that_cannot_be_made_fails_and_leaves_the_decision(promotion: Promotion) -> None:
    promotion.gather().decide()
    promotion.answer("Reject")
    in_the_way = promotion.platform.scratch / "store" / "reports" / USE_CASE / "decision"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    moved = in_the_way.rename(in_the_way.with_suffix(".aside")) if in_the_way.exists() else None
    in_the_way.touch()

    try:
        with pytest.raises(OSError, match="decision"):
            report_decision(USE_CASE, run_id=promotion.run_id, ti=Task())
    finally:
        in_the_way.unlink()
        if moved:
            moved.rename(in_the_way)

    assert [entry.decision.code for entry in promotion.entries] == ["reject:approval", "needs_approval"]


def test_where_nothing_was_decided_there_is_no_page(platform: Platform) -> None:
    with pytest.raises(AirflowSkipException, match="nothing to report"):
        report_decision(USE_CASE, run_id="no such run", ti=Task())
