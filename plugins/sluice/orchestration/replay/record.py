"""The record: what each day of a replay saw, decided and did."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import Literal

Basis = Literal["realised", "estimated", "promised"]


@dataclass(frozen=True)
class Check:
    """What one daily check found, and what followed.

    Attributes:
        verdict: `stable`, `drifted`, `degraded` or `unknown`.
        message: The same in a sentence.
        response: What followed: `nothing`, `alert`, `approval` or `retrain`.
        reason: Why that.
        mailed: Whether a mail was due: one cause is one mail until it heals.
    """

    verdict: str
    message: str
    response: str = "nothing"
    reason: str = ""
    mailed: bool = False

    @property
    def alarmed(self) -> bool:
        """Whether anybody heard of it."""
        return self.response != "nothing"


@dataclass(frozen=True)
class Moved:
    """How far one column lay from the release's reference.

    Attributes:
        column: Its name.
        score: How far; None where it could not be told.
        threshold: From which it has drifted; None where that could not be told.
        drifted: Whether it has.
    """

    column: str
    score: float | None
    threshold: float | None
    drifted: bool | None


@dataclass(frozen=True)
class Measured:
    """The metric that a release is looked after by, over the window of one day's check.

    Attributes:
        basis: From labels, without any, or what the contract promised.
        value: The metric.
        low: The estimate's lower bound.
        high: Its upper bound.
        rows: How many rows it is of.
    """

    basis: Basis
    value: float | None
    low: float | None
    high: float | None
    rows: int


@dataclass(frozen=True)
class Training:
    """A training that was started, and what the gate made of it.

    Attributes:
        breach: What asked for it; empty for the first release.
        reason: Why, as the response said.
        version: What it made; None where nothing could be made.
        code: The gate's decision.
        message: Why.
    """

    breach: str
    reason: str
    version: int | None
    code: str
    message: str

    @property
    def promoted(self) -> bool:
        """Whether the gate let it through."""
        return self.code == "promote"

    @property
    def decided(self) -> bool:
        """Whether the gate could tell, one way or the other."""
        return self.promoted or self.code.startswith(("reject:", "needs_approval"))


@dataclass(frozen=True)
class Day:
    """One day.

    Attributes:
        number: From 1; 0 is the day of the first release.
        strength: How much of the scenario's changes holds: 0 to 1.
        unchanged: Whether nothing that is seen today is of a changed world.
        version: What answered.
        accepted: Whether the day's file counts.
        refusal: Why it does not.
        asked: Predictions that were made.
        labelled: Labels that arrived.
        checks: Kind of check -> what it found.
        columns: What the drift check saw of each column.
        drifted_share: Of the columns that could be judged.
        metrics: What was known of the performance on that morning.
        hindsight: The realised metric of the same window once every label of it is there.
        training: What followed, if a training did.
    """

    number: int
    strength: float
    unchanged: bool
    version: int
    accepted: bool
    refusal: str
    asked: int
    labelled: int
    checks: dict[str, Check] = field(default_factory=dict)
    columns: tuple[Moved, ...] = ()
    drifted_share: float | None = None
    metrics: tuple[Measured, ...] = ()
    hindsight: float | None = None
    training: Training | None = None

    def measured(self, basis: Basis) -> Measured | None:
        """What was known by one basis."""
        return next((each for each in self.metrics if each.basis == basis and each.value is not None), None)

    @property
    def alarms(self) -> tuple[str, ...]:
        """The kinds of check that somebody heard of."""
        return tuple(kind for kind, check in self.checks.items() if check.alarmed)

    @property
    def estimate_holds(self) -> bool | None:
        """Whether what was estimated bounds what was realised; None where one of both is missing."""
        estimate = self.measured("estimated")
        if estimate is None or estimate.low is None or estimate.high is None or self.hindsight is None:
            return None
        return estimate.low <= self.hindsight <= estimate.high


def table(days: tuple[Day, ...]) -> str:
    """The days as CSV, one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    kinds = ("drift", "quality", "performance")
    writer.writerow(
        ["day", "change", "version", "batch", "predictions", "labels", "drifted_share"]
        + [f"{kind}_{what}" for kind in kinds for what in ("verdict", "response", "mailed")]
        + ["realised", "estimated", "estimated_low", "estimated_high", "promised", "realised_in_hindsight"]
        + ["estimate_holds", "trained_version", "decision"]
    )
    for day in days:
        estimate = day.measured("estimated")
        writer.writerow(
            [day.number, day.strength, day.version, "accepted" if day.accepted else "rejected", day.asked]
            + [day.labelled, _cell(day.drifted_share)]
            + [part for kind in kinds for part in _checked(day.checks.get(kind))]
            + [_value(day, "realised"), _value(day, "estimated")]
            + [_cell(estimate.low if estimate else None), _cell(estimate.high if estimate else None)]
            + [_value(day, "promised"), _cell(day.hindsight), _cell(day.estimate_holds)]
            + [_cell(day.training.version if day.training else None), day.training.code if day.training else ""]
        )
    return text.getvalue()


def _checked(check: Check | None) -> tuple[str, str, str]:
    return (check.verdict, check.response, _cell(check.mailed)) if check else ("", "", "")


def _value(day: Day, basis: Basis) -> str:
    found = day.measured(basis)
    return _cell(found.value if found else None)


def _cell(value: float | bool | None) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else f"{value:.6g}"
