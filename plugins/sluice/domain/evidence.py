"""Evidence and decisions: what the gate saw, and what follows from it."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.figures import plain
from sluice.domain.frozen import Frozen

Verdict = Literal["pass", "fail", "unknown"]
Blessing = Literal["good_enough", "servable"]
Approval = Literal["automatic", "required"]

#: Who is entered where nobody answered in time.
NOBODY = "time-out"


class Check(Frozen):
    """One thing the gate looked at.

    `unknown` is a verdict of its own: it never counts as a pass.
    """

    code: str
    """Stable, for example `threshold.r2` or `change.rmse`."""
    verdict: Verdict
    message: str
    value: float | None = None
    limit: str | None = None
    interval: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _a_pass_has_a_finite_value(self) -> Self:
        numbers = [n for n in (self.value, *(self.interval or ())) if n is not None]
        if self.verdict == "pass" and not all(math.isfinite(n) for n in numbers):
            raise ValueError(f"{self.code} cannot pass with {numbers}")
        return self


class Subject(Frozen):
    """What exactly was judged: one version of one bundle, against one champion."""

    use_case: str
    version: int
    bundle_sha256: str
    champion_version: int | None
    champion_bundle_sha256: str | None


class Curve(Frozen):
    """What a model said of rows beside what was observed of them, in bins of as many rows each.

    Of numbers both are in the target's unit; of classes one is a probability, and the other the share that is true.
    """

    said: tuple[float, ...]
    """The mean of each bin, rising."""
    observed: tuple[float, ...]
    """The mean of the same rows."""
    low: tuple[float, ...]
    """Of numbers a tenth of what was observed lies below; of classes the lower end of the share's interval."""
    high: tuple[float, ...]
    """Likewise above."""
    rows: tuple[int, ...]


class Evidence(Frozen):
    """What one blessing looked at."""

    subject: Subject
    blessing: Blessing
    checks: tuple[Check, ...]
    metrics: dict[str, float] = Field(default_factory=dict)
    champion_metrics: dict[str, float] = Field(default_factory=dict)
    test_rows: int | None = None
    notes: tuple[str, ...] = ()
    curve: Curve | None = None
    """Of the candidate, on held-out rows."""


class Decision(Frozen):
    """What was decided, by the gate or by a person.

    `code` is `promote`, `needs_approval`, `reject:<check>` or `undecided:<check>`.
    """

    code: str
    message: str
    actor: str = "gate"
    """`gate`, or the name of the person who approved, refused or forced."""


class Ruling(Frozen):
    """What a person said to what the gate decided, or that nobody said anything in time (`lapse`)."""

    action: Literal["approve", "refuse", "lapse", "force"]
    actor: str = Field(min_length=1)
    """Their name, as Airflow knows it."""
    reason: str = Field(min_length=1)


def bounded(code: str, value: float, what: str, minimum: float | None = None, maximum: float | None = None) -> Check:
    """Check that a number lies within its bounds; NaN and infinity are `unknown`.

    Args:
        code: The check's code.
        value: The number.
        what: How the number is called in the message.
        minimum: Smallest value that passes.
        maximum: Largest value that passes.
    """
    least, most = (None if bound is None else plain(bound, None) for bound in (minimum, maximum))
    limit = " and ".join(side for side in (least and f">= {least}", most and f"<= {most}") if side)
    if not math.isfinite(value):
        return Check(code=code, verdict="unknown", message=f"{what} is {value}, which cannot be judged", limit=limit)

    def within(number: float) -> bool:
        return (minimum is None or number >= minimum) and (maximum is None or number <= maximum)

    ok = within(value)
    # A near miss is shown with as many digits as it takes to be seen.
    digits = next((d for d in range(4, 17) if within(float(f"{value:.{d}g}")) == ok), None)
    needed = " and ".join(
        side for side in (least and f"at least {least} is needed", most and f"at most {most} is allowed") if side
    )
    message = f"{what} is {plain(value, digits)}, {needed}"
    return Check(code=code, verdict="pass" if ok else "fail", message=message, value=value, limit=limit)


def decide(subject: Subject, evidence: tuple[Evidence, ...], approval: Approval = "automatic") -> Decision:
    """Judge the evidence: both blessings are needed, about this very subject, and every check must pass.

    A failed check outweighs what could not be told, because more evidence cannot mend it.

    Args:
        subject: What would be promoted.
        evidence: What was gathered; anything about another subject counts for nothing.
        approval: Whether a person must say yes to what passed.
    """
    own = [e for e in evidence if e.subject == subject]
    checks = [check for e in own for check in e.checks]
    failed = [c for c in checks if c.verdict == "fail"]
    if failed:
        return Decision(code=f"reject:{failed[0].code}", message="; ".join(c.message for c in failed))
    if len(own) < len(evidence):
        message = "evidence is about another version or another champion; promote again"
        return Decision(code="undecided:stale_evidence", message=message)
    blessings: tuple[Blessing, ...] = ("good_enough", "servable")
    for blessing in blessings:
        about = [c for e in own if e.blessing == blessing for c in e.checks]
        if not about:
            message = f"there is no evidence that version {subject.version} is {blessing.replace('_', ' ')}"
            return Decision(code=f"undecided:no_evidence.{blessing}", message=message)
        # What could not be told of the first blessing is why there is nothing about the second.
        if unknown := [c for c in about if c.verdict != "pass"]:
            return Decision(code=f"undecided:{unknown[0].code}", message="; ".join(c.message for c in unknown))
    message = "; ".join((f"all {len(checks)} checks passed", *(note for e in own for note in e.notes)))
    return Decision(code="promote" if approval == "automatic" else "needs_approval", message=message)


def rule(subject: Subject, evidence: tuple[Evidence, ...], decided: Decision, ruling: Ruling) -> Decision:
    """Apply what a person said to what the gate decided.

    An approval needs evidence that promotes; force sets aside what was found not good enough. What is not servable,
    what could not be told and what is missing or about something else stands, whoever says so.

    Args:
        subject: What would be promoted.
        evidence: What the gate decided on.
        decided: What it decided.
        ruling: What the person said.
    """
    who = {"actor": ruling.actor}
    if ruling.action != "force" and decided.code != "needs_approval":
        return Decision(code=decided.code, message=f"nothing was to be approved: {decided.message}", **who)
    if ruling.action == "refuse":
        return Decision(code="reject:approval", message=f"refused: {ruling.reason}", **who)
    if ruling.action == "lapse":
        return Decision(code="reject:approval_timeout", message=f"not approved: {ruling.reason}", **who)
    aside = [c.code for e in evidence if _weighs(e) for c in e.checks if c.verdict == "fail"]
    forced = ruling.action == "force"
    rest = decide(subject, tuple(_pardoned(e) if _weighs(e) else e for e in evidence) if forced else evidence)
    said = "forced" if forced else "approved"
    if rest.code != "promote":
        return Decision(code=rest.code, message=f"it cannot be {said}: {rest.message}", **who)
    excused = f"; set aside: {', '.join(aside)}" if forced and aside else ""
    return Decision(code="promote", message=f"{said}: {ruling.reason}{excused}", **who)


def _weighs(evidence: Evidence) -> bool:
    """Whether a person may weigh it up: how good a model is, and not whether it can be served."""
    return evidence.blessing == "good_enough"


def _pardoned(evidence: Evidence) -> Evidence:
    """Evidence without its failures; what could not be told stays so."""
    checks = (c.model_copy(update={"verdict": "pass"}) if c.verdict == "fail" else c for c in evidence.checks)
    return evidence.model_copy(update={"checks": tuple(checks)})
