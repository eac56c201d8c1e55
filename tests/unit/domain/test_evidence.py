"""Nothing is promoted but by complete, passing evidence about exactly what would be promoted."""

import math

import pytest
from pydantic import ValidationError

from sluice.domain.evidence import Check, Decision, Evidence, Ruling, Subject, bounded, decide, rule

SUBJECT = Subject(use_case="housing", version=2, bundle_sha256="b2", champion_version=1, champion_bundle_sha256="b1")
PASS = Check(code="threshold.r2", verdict="pass", message="good", value=0.9)
FAIL = Check(code="change.rmse", verdict="fail", message="worse", value=-0.1)
UNKNOWN = Check(code="ready", verdict="unknown", message="no answer")


def evidence(blessing: str, *checks: Check, **about: object) -> Evidence:
    return Evidence(subject=SUBJECT.model_copy(update=about), blessing=blessing, checks=checks)


GOOD = evidence("good_enough", PASS)
SERVABLE = evidence("servable", PASS)
WORSE = evidence("good_enough", PASS, FAIL)
ASKS = Decision(code="needs_approval", message="all passed")


def said(action: str) -> Ruling:
    return Ruling(action=action, actor="ann", reason="for the fair")


def ruled(action: str, *gathered: Evidence) -> Decision:
    """What a person's word makes of what the gate decides on this evidence, where it has to be approved."""
    return rule(SUBJECT, gathered, decide(SUBJECT, gathered, "required"), said(action))


def test_two_blessings_promote() -> None:
    assert decide(SUBJECT, (GOOD, SERVABLE)).code == "promote"


@pytest.mark.parametrize(
    ("gathered", "code"),
    [
        pytest.param((), "undecided:no_evidence.good_enough", id="nothing"),
        pytest.param((GOOD,), "undecided:no_evidence.servable", id="only-good-enough"),
        pytest.param((SERVABLE,), "undecided:no_evidence.good_enough", id="only-servable"),
        pytest.param((GOOD, evidence("servable")), "undecided:no_evidence.servable", id="no-checks"),
        pytest.param((GOOD, evidence("servable", UNKNOWN)), "undecided:ready", id="could-not-tell"),
        pytest.param((evidence("good_enough", PASS, FAIL), SERVABLE), "reject:change.rmse", id="one-fails"),
        pytest.param((evidence("good_enough", FAIL),), "reject:change.rmse", id="fails-early"),
        pytest.param(
            (evidence("good_enough", FAIL), evidence("servable", UNKNOWN)), "reject:change.rmse", id="fail-first"
        ),
        pytest.param((GOOD, evidence("servable", PASS, version=3)), "undecided:stale_evidence", id="another-version"),
        pytest.param(
            (GOOD, SERVABLE, evidence("servable", PASS, bundle_sha256="x")),
            "undecided:stale_evidence",
            id="another-bundle",
        ),
        pytest.param(
            (evidence("good_enough", PASS, champion_version=7), SERVABLE),
            "undecided:stale_evidence",
            id="another-champion",
        ),
    ],
)
def test_everything_else_does_not(gathered: tuple[Evidence, ...], code: str) -> None:
    decision = decide(SUBJECT, gathered)

    assert decision.code == code
    assert decision.message


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(0.8, "pass"), (0.9, "pass"), (0.79, "fail"), (math.nan, "unknown"), (math.inf, "unknown")],
)
def test_a_bound_tells_a_miss_from_what_cannot_be_judged(value: float, verdict: str) -> None:
    assert bounded("threshold.r2", value, "r2", minimum=0.8).verdict == verdict


def test_a_check_cannot_pass_on_nan() -> None:
    with pytest.raises(ValidationError, match="cannot pass"):
        Check(code="threshold.r2", verdict="pass", message="", value=math.nan)


@pytest.mark.parametrize(
    ("value", "minimum", "maximum", "message"),
    [
        pytest.param(0.81234, 0.78, None, "F1 is 0.8123, at least 0.78 is needed", id="pass"),
        pytest.param(0.77999612345, 0.78, None, "F1 is 0.779996, at least 0.78 is needed", id="near miss"),
        pytest.param(31040.6, None, 69000, "F1 is 31,041, at most 69,000 is allowed", id="large"),
        pytest.param(2, 1, 3, "F1 is 2, at least 1 is needed and at most 3 is allowed", id="both"),
        pytest.param(math.nan, 0.78, None, "F1 is nan, which cannot be judged", id="no number"),
    ],
)
def test_a_bound_is_said_in_words(value: float, minimum: float | None, maximum: float | None, message: str) -> None:
    assert bounded("threshold.f1", value, "F1", minimum, maximum).message == message


def test_a_promotion_says_what_the_evidence_lacked() -> None:
    noted = GOOD.model_copy(update={"notes": ("held-out rows are few",)})

    assert decide(SUBJECT, (noted, SERVABLE)).message == "all 2 checks passed; held-out rows are few"


def test_what_passes_waits_for_a_person_where_the_policy_says_so() -> None:
    assert decide(SUBJECT, (GOOD, SERVABLE), "required").code == "needs_approval"
    assert decide(SUBJECT, (WORSE, SERVABLE), "required").code == "reject:change.rmse"
    assert decide(SUBJECT, (GOOD,), "required").code == "undecided:no_evidence.servable"


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("approve", "promote", "approved: for the fair"),
        ("refuse", "reject:approval", "refused: for the fair"),
        ("lapse", "reject:approval_timeout", "not approved: for the fair"),
    ],
)
def test_who_is_asked_decides_on_what_passed(action: str, code: str, words: str) -> None:
    assert ruled(action, GOOD, SERVABLE) == Decision(code=code, message=words, actor="ann")


@pytest.mark.parametrize("action", ["approve", "refuse", "lapse"])
def test_an_answer_to_what_was_not_asked_changes_nothing(action: str) -> None:
    decision = ruled(action, WORSE, SERVABLE)

    assert decision.code == "reject:change.rmse"
    assert "nothing was to be approved" in decision.message


def test_an_approval_needs_the_evidence_that_passed() -> None:
    decision = rule(SUBJECT, (WORSE, SERVABLE), ASKS, said("approve"))

    assert (decision.code, decision.actor) == ("reject:change.rmse", "ann")
    assert decision.message == "it cannot be approved: worse"


def test_force_sets_aside_what_is_not_good_enough_and_names_it() -> None:
    decision = ruled("force", WORSE, SERVABLE)

    assert decision == Decision(code="promote", message="forced: for the fair; set aside: change.rmse", actor="ann")


@pytest.mark.parametrize(
    ("gathered", "code"),
    [
        pytest.param((WORSE, evidence("servable", PASS, FAIL)), "reject:change.rmse", id="not servable"),
        pytest.param((GOOD, evidence("servable", FAIL)), "reject:change.rmse", id="only not servable"),
        pytest.param((evidence("good_enough", FAIL, UNKNOWN), SERVABLE), "undecided:ready", id="could not be told"),
        pytest.param((WORSE, evidence("servable", UNKNOWN)), "undecided:ready", id="servable could not be told"),
        pytest.param((WORSE,), "undecided:no_evidence.servable", id="nothing was started"),
        pytest.param((), "undecided:no_evidence.good_enough", id="nothing was judged"),
        pytest.param((WORSE, evidence("servable", PASS, version=3)), "undecided:stale_evidence", id="another version"),
        pytest.param(
            (WORSE, evidence("servable", PASS, bundle_sha256="x")), "undecided:stale_evidence", id="altered bundle"
        ),
        pytest.param(
            (evidence("good_enough", FAIL, champion_version=7), SERVABLE),
            "undecided:stale_evidence",
            id="another champion",
        ),
    ],
)
def test_force_overrides_nothing_else_and_says_why(gathered: tuple[Evidence, ...], code: str) -> None:
    decision = ruled("force", *gathered)

    assert (decision.code, decision.actor) == (code, "ann")
    assert decision.message.startswith("it cannot be forced: ")
