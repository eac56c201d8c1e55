"""Decisions: what was decided of a use case and on what evidence, what was let serve, and what serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from sluice.domain.evidence import NOBODY, Check, Evidence
from sluice.web import facts
from sluice.web.facts import Tone
from sluice.web.inquiry import Inquiry
from sluice.web.overview import FRESH

DECISIONS, DEPLOYMENTS, CANARIES = 10, 30, 10
#: A process that was heard of within this time is listed.
REMEMBERED = timedelta(days=1)

_RANK = {"fail": 0, "unknown": 1, "pass": 2}
_CHECKED: dict[str, Tone] = {"pass": "good", "fail": "bad", "unknown": "unsure"}


@dataclass(frozen=True)
class Decided:
    """A decision with what it rests on.

    Attributes:
        version: What would be promoted.
        champion: What it was compared with; None for a first release.
        code: What was decided.
        tone: What that comes to.
        message: Why.
        person: Who spoke, where it was not the gate; "nobody in time" where an answer was waited for in vain.
        overruled: What the gate had decided that they spoke about.
        checks: What was looked at, what did not pass first.
        evidence_error: Why the evidence cannot be shown; empty where it can.
        at: When.
        run: The run that decided.
        link: Its page.
    """

    version: int
    champion: int | None
    code: str
    tone: Tone
    message: str
    person: str | None
    overruled: str | None
    checks: tuple[Check, ...]
    evidence_error: str
    at: datetime
    run: str
    link: str | None

    @property
    def counted(self) -> str:
        """How many checks came out how."""
        counts = {verdict: sum(c.verdict == verdict for c in self.checks) for verdict in ("pass", "fail", "unknown")}
        words = {"pass": "passed", "fail": "failed", "unknown": "could not tell"}
        said = ", ".join(f"{count} {words[verdict]}" for verdict, count in counts.items() if count)
        return f"{len(self.checks)} check{'s' if len(self.checks) > 1 else ''}: {said}"

    @staticmethod
    def tone_of(check: Check) -> Tone:
        """What a check comes to."""
        return _CHECKED[check.verdict]


@dataclass(frozen=True)
class Deployed:
    """A step by which a version came to serve, or ceased to."""

    from_version: int | None
    to_version: int
    action: str
    share: float
    actor: str
    reason: str
    at: datetime

    @property
    def what(self) -> str:
        """The step in words."""
        if self.action == "canary":
            return (
                f"version {self.to_version} answers {self.share:.0%}"
                if self.share
                else (f"version {self.to_version} answers aside, unseen")
            )
        if self.action == "withdraw":
            return f"version {self.to_version} withdrawn"
        return f"version {self.to_version} serves"


@dataclass(frozen=True)
class Challenged:
    """A version that took part of the traffic."""

    version: int
    champion: int
    state: str
    reason: str
    began_at: datetime
    ended_at: datetime | None

    @property
    def tone(self) -> Tone:
        """What came of it."""
        tones: dict[str, Tone] = {"promoted": "good", "withdrawn": "bad"}
        return tones.get(self.state, "plain")


@dataclass(frozen=True)
class Replica:
    """A serving process."""

    host: str
    pid: int
    version: int | None
    challenger: str
    source: str
    reason: str
    started_at: datetime
    seen_at: datetime
    tone: Tone


@dataclass(frozen=True)
class Made:
    """What a version is made of."""

    version: int
    bento: str
    image: str | None
    run_id: str
    snapshot_id: str
    snapshot_rows: int | None
    batch_ids: tuple[int, ...]
    created_at: datetime
    removed_at: datetime | None


def decisions(inquiry: Inquiry, use_case: str) -> tuple[Decided, ...]:
    """What was decided last, the newest first."""
    rows = inquiry.rows("decisions", {"use_case": use_case, "most": DECISIONS})
    return tuple(_decided(use_case, row) for row in rows)


def deployments(inquiry: Inquiry, use_case: str) -> tuple[Deployed, ...]:
    """What was let serve last, the newest first."""
    rows = inquiry.rows("deployments", {"use_case": use_case, "most": DEPLOYMENTS})
    fields = ("from_version", "to_version", "action", "share", "actor", "reason", "deployed_at")
    return tuple(Deployed(*(row[field] for field in fields)) for row in rows)


def challengers(inquiry: Inquiry, use_case: str) -> tuple[Challenged, ...]:
    """The challengers, the newest first."""
    rows = inquiry.rows("canaries", {"use_case": use_case, "most": CANARIES})
    return tuple(
        Challenged(
            row["version"],
            row["champion_version"],
            row["state"],
            row["reason"] or "",
            row["began_at"],
            row["ended_at"],
        )
        for row in rows
    )


def releases(inquiry: Inquiry, use_case: str, versions: set[int]) -> tuple[Made, ...]:
    """What versions are made of, the newest first; a version that was never released is left out."""
    rows = inquiry.rows("releases", {"use_case": use_case, "versions": sorted(versions)})
    made = (Made(**(row | {"batch_ids": tuple(row["batch_ids"] or ())})) for row in rows)
    return tuple(sorted(made, key=lambda one: -one.version))


def replicas(inquiry: Inquiry, use_case: str, champion: int | None, now: datetime) -> tuple[Replica, ...]:
    """The processes that serve, or did within a day; the last heard of first."""
    rows = inquiry.rows("replicas", {"use_case": use_case, "since": now - REMEMBERED})
    return tuple(_replica(row, champion, now) for row in rows)


def _decided(use_case: str, row: Mapping[str, Any]) -> Decided:
    checks: tuple[Check, ...] = ()
    problem = ""
    try:
        evidence = [Evidence.model_validate(part, strict=False) for part in row["evidence"]]
        checks = tuple(sorted((c for e in evidence for c in e.checks), key=lambda c: _RANK[c.verdict]))
    except ValidationError as error:
        problem = f"written by another version of Sluice: {error.error_count()} fields are not as expected"
    spoken = row["overruled_code"] is not None or row["actor"] != "gate"
    return Decided(
        version=row["version"],
        champion=row["champion_version"],
        code=row["code"],
        tone=facts.of_decision(row["code"]),
        message=row["message"],
        person=("nobody in time" if row["actor"] == NOBODY else row["actor"]) if spoken else None,
        overruled=row["overruled_code"],
        checks=checks,
        evidence_error=problem,
        at=row["decided_at"],
        run=row["dag_run_id"],
        link=facts.page_of(use_case, "decision", row["dag_run_id"], row["report_uri"]),
    )


def _replica(row: Mapping[str, Any], champion: int | None, now: datetime) -> Replica:
    fresh = row["seen_at"] >= now - FRESH
    tone: Tone = "unsure" if not fresh else "good" if row["version"] == champion else "bad"
    number, share = row["challenger_version"], row["challenger_share"]
    beside = "" if number is None else f"version {number}, {share or 0:.0%}"
    if row["challenger_reason"]:
        beside = f"{beside}: {row['challenger_reason']}".removeprefix(": ")
    return Replica(
        row["host"],
        row["pid"],
        row["version"],
        beside,
        row["source"],
        row["reason"],
        row["started_at"],
        row["seen_at"],
        tone,
    )
