"""Overview: where each use case stands, for the page that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sluice.adapters.warehouse import Warehouse
from sluice.domain.figures import plain
from sluice.domain.report import Report
from sluice.domain.use_case import UseCase

#: A serving process that has not been heard of for this long may be gone.
FRESH = timedelta(seconds=30)

Tone = Literal["good", "bad", "unsure", "plain"]


@dataclass(frozen=True)
class Fact:
    """One thing there is to know.

    Attributes:
        label: What it is about.
        value: In a word or two.
        tone: Whether that is good news.
        detail: In a sentence.
        at: Since when, or None.
        link: A page that says more, below the web server's own address.
    """

    label: str
    value: str
    tone: Tone = "plain"
    detail: str = ""
    at: datetime | None = None
    link: str | None = None


@dataclass(frozen=True)
class Standing:
    """One use case and what there is to know about it."""

    name: str
    title: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Row:
    """What the warehouse says about one use case; None where nothing has happened yet."""

    use_case: str
    champion: int | None
    deployed_at: datetime | None
    deployed_by: str | None
    deployed_why: str | None
    challenger: int | None
    challenger_share: float | None
    challenger_at: datetime | None
    decided_version: int | None
    decision_code: str | None
    decision_message: str | None
    decision_run: str | None
    decision_uri: str | None
    decided_at: datetime | None
    batch_id: int | None
    batch_rows: int | None
    quarantined: int | None
    batch_status: str | None
    batch_reason: str | None
    landed_at: datetime | None
    drift_verdict: str | None
    drift_message: str | None
    drift_run: str | None
    drift_uri: str | None
    drift_at: datetime | None
    seen_at: datetime | None
    live: int
    versions: list[int] | None


def standings(warehouse: Warehouse, use_cases: Sequence[UseCase], now: datetime) -> tuple[Standing, ...]:
    """Where each use case stands, in the order they were given.

    Args:
        warehouse: Where everything that happened is written down.
        use_cases: Whose.
        now: The moment that heartbeats are measured against; aware.
    """
    values = {"use_cases": [u.name for u in use_cases], "fresh_since": now - FRESH}
    rows = (Row(**row) for row in warehouse.rows(warehouse.statement("web/use_cases"), values))
    return tuple(
        Standing(use_case.name, use_case.title, facts(row)) for use_case, row in zip(use_cases, rows, strict=True)
    )


def facts(row: Row) -> tuple[Fact, ...]:
    """What a row says, in words."""
    return (_served(row), *_challenger(row), _endpoint(row), _decision(row), _batch(row), _drift(row))


def _served(row: Row) -> Fact:
    if row.champion is None:
        return Fact("Champion", "none yet", detail="No release has been promoted.")
    detail = f"by {row.deployed_by}: {row.deployed_why}"
    return Fact("Champion", f"version {row.champion}", detail=detail, at=row.deployed_at)


def _challenger(row: Row) -> tuple[Fact, ...]:
    """What takes part of the traffic, where something does."""
    if row.challenger is None or row.challenger_share is None:
        return ()
    share = f"answers {row.challenger_share:.0%} of the requests" if row.challenger_share else "answers aside, unseen"
    return (Fact("Challenger", f"version {row.challenger}", "plain", share, row.challenger_at),)


def _endpoint(row: Row) -> Fact:
    if row.seen_at is None:
        return Fact("Endpoint", "never seen", detail="No serving process has reported itself.")
    if not row.live:
        return Fact("Endpoint", "could not tell", "unsure", "No serving process has reported lately.", row.seen_at)
    processes = "1 process" if row.live == 1 else f"{row.live} processes"
    if row.versions == [row.champion]:
        return Fact("Endpoint", "live", "good", f"{processes} on version {row.champion}", row.seen_at)
    if row.champion is None and not row.versions:
        return Fact("Endpoint", "waits for a champion", "plain", processes, row.seen_at)
    serving = ", ".join(map(str, row.versions or [])) or "no version"
    return Fact("Endpoint", "not on the champion", "bad", f"{processes} on {serving}", row.seen_at)


def _decision(row: Row) -> Fact:
    if row.decision_code is None:
        return Fact("Last decision", "none yet")
    # A model that is the champion's equal to the byte is no worse than it.
    tones: dict[str, Tone] = {"promote": "good", "reject:unchanged": "plain"}
    kinds: dict[str, Tone] = {"reject": "bad"}
    tone = tones.get(row.decision_code) or kinds.get(row.decision_code.partition(":")[0], "unsure")
    detail = f"Version {row.decided_version}: {row.decision_message}"
    link = Report.of_run(row.use_case, "decision", row.decision_run or "").path if row.decision_uri else None
    return Fact("Last decision", row.decision_code, tone, detail, row.decided_at, link)


def _batch(row: Row) -> Fact:
    if row.batch_id is None or row.batch_status is None:
        return Fact("Last batch", "none yet")
    tones: dict[str, Tone] = {"accepted": "good", "rejected": "bad"}
    detail = f"Batch {row.batch_id}: {_count(row.batch_rows)} rows, {_count(row.quarantined)} quarantined"
    reason = f". {row.batch_reason}" if row.batch_reason else ""
    return Fact("Last batch", row.batch_status, tones.get(row.batch_status, "unsure"), detail + reason, row.landed_at)


def _count(number: int | None) -> str:
    return "unknown" if number is None else plain(number)


def _drift(row: Row) -> Fact:
    if row.drift_verdict is None or row.drift_run is None:
        return Fact("Drift", "not checked yet")
    tones: dict[str, Tone] = {"stable": "good", "drifted": "bad"}
    link = Report.of_run(row.use_case, "drift", row.drift_run).path if row.drift_uri else None
    return Fact(
        "Drift",
        row.drift_verdict,
        tones.get(row.drift_verdict, "unsure"),
        row.drift_message or "",
        row.drift_at,
        link,
    )
