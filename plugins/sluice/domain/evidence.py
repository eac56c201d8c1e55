"""Evidence and decisions: what the gate saw, and what follows from it."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.domain.figures import plain
from sluice.domain.frozen import Frozen

Verdict = Literal["pass", "fail", "unknown"]
Blessing = Literal["good_enough", "servable"]


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


class Evidence(Frozen):
    """What one blessing looked at."""

    subject: Subject
    blessing: Blessing
    checks: tuple[Check, ...]
    metrics: dict[str, float] = Field(default_factory=dict)
    champion_metrics: dict[str, float] = Field(default_factory=dict)
    test_rows: int | None = None
    notes: tuple[str, ...] = ()


class Decision(Frozen):
    """What was decided, by the gate or by a person.

    `code` is `promote`, `needs_approval`, `reject:<check>` or `undecided:<check>`.
    """

    code: str
    message: str
    actor: str = "gate"
    """`gate`, or the name of the person who approved, refused or forced."""


class Ruling(Frozen):
    """What a person said."""

    action: Literal["approve", "refuse", "force"]
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


def decide(subject: Subject, evidence: tuple[Evidence, ...]) -> Decision:
    """Judge the evidence: both blessings are needed, about this very subject, and every check must pass.

    A failed check outweighs what could not be told, because more evidence cannot mend it.

    Args:
        subject: What would be promoted.
        evidence: What was gathered; anything about another subject counts for nothing.
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
        if not any(e.blessing == blessing and e.checks for e in own):
            message = f"there is no evidence that version {subject.version} is {blessing.replace('_', ' ')}"
            return Decision(code=f"undecided:no_evidence.{blessing}", message=message)
    unknown = [c for c in checks if c.verdict != "pass"]
    if unknown:
        return Decision(code=f"undecided:{unknown[0].code}", message="; ".join(c.message for c in unknown))
    notes = [note for e in own if e.blessing == "good_enough" for note in e.notes]
    return Decision(code="promote", message="; ".join((f"all {len(checks)} checks passed", *notes)))
