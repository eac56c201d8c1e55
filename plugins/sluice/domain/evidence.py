"""Evidence and decisions: what the gate saw, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from sluice.domain.frozen import Frozen

Verdict = Literal["pass", "fail", "unknown"]


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


class Evidence(Frozen):
    """Everything the gate judged about one exact version of one bundle."""

    use_case: str
    version: int
    bundle_sha256: str
    snapshot_id: str
    champion_version: int | None = None
    champion_bundle_sha256: str | None = None
    test_rows: int
    metrics: dict[str, float]
    champion_metrics: dict[str, float] = {}
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What the gate decided, as a stable code and a sentence.

    `code` is `promote`, `reject:<check>` or `undecided:<check>`.
    """

    code: str
    message: str

    @property
    def promotes(self) -> bool:
        """Whether the candidate becomes the champion."""
        return self.code == "promote"


def decide(checks: tuple[Check, ...], required: frozenset[str]) -> Decision:
    """Judge the evidence: every required check must be there, and every check must pass.

    A failed check outweighs one that could not tell, because more evidence cannot mend it.

    Args:
        checks: What was looked at.
        required: Codes that must be among them; one that is absent counts as `unknown`.
    """
    failed = [c for c in checks if c.verdict == "fail"]
    if failed:
        return Decision(f"reject:{failed[0].code}", "; ".join(c.message for c in failed))
    unknown = [c for c in checks if c.verdict != "pass"]
    if unknown:
        return Decision(f"undecided:{unknown[0].code}", "; ".join(c.message for c in unknown))
    missing = sorted(required - {c.code for c in checks})
    if missing or not checks:
        code = missing[0] if missing else "no_evidence"
        return Decision(f"undecided:{code}", f"there is no evidence for: {', '.join(missing) or 'anything'}")
    return Decision("promote", f"all {len(checks)} checks passed")


def bounded(code: str, value: float, minimum: float | None, maximum: float | None, what: str) -> Check:
    """Check that a number lies within its bounds; NaN and infinity are `unknown`.

    Args:
        code: The check's code.
        value: The number.
        minimum: Smallest value that passes, or None.
        maximum: Largest value that passes, or None.
        what: How the number is called in the message.
    """
    sides = [f">= {minimum:g}" if minimum is not None else "", f"<= {maximum:g}" if maximum is not None else ""]
    limit = " and ".join(s for s in sides if s)
    if not math.isfinite(value):
        return Check(code=code, verdict="unknown", message=f"{what} is {value}, not a number to judge", limit=limit)
    ok = (minimum is None or value >= minimum) and (maximum is None or value <= maximum)
    verdict: Verdict = "pass" if ok else "fail"
    relation = "meets" if ok else "misses"
    return Check(
        code=code, verdict=verdict, message=f"{what} {value:.6g} {relation} {limit}", value=value, limit=limit
    )


def as_json(value: Frozen) -> dict[str, Any]:
    """A frozen value as plain JSON types, for a jsonb column."""
    return value.model_dump(mode="json")
