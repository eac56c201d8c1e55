"""Overview: where each use case stands, for the page that shows them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase
from sluice.web import facts
from sluice.web.facts import Fact, Tone
from sluice.web.incidents import Incident, incidents
from sluice.web.inquiry import Inquiry
from sluice.web.rights import Rights, Stage

#: A serving process that has not been heard of for this long may be gone.
FRESH = timedelta(seconds=30)

#: What is looked at daily, and what it is called.
CHECKS = {"drift": "Drift", "quality": "Data quality", "performance": "Performance"}


@dataclass(frozen=True)
class Standing:
    """One use case and what there is to know about it."""

    name: str
    title: str
    facts: tuple[Fact, ...]
    incidents: tuple[Incident, ...] = ()

    @property
    def tone(self) -> Tone:
        """How it is, all in all."""
        return "bad" if self.incidents else facts.worst(f.tone for f in self.facts)

    @property
    def verdict(self) -> str:
        """The same in words, with what is not as it should be."""
        labels = [f.label.lower() for f in self.facts if f.tone == self.tone]
        if self.tone == "bad":
            count = len(self.incidents)
            labels += [f"{count} open incident{'s' if count > 1 else ''}"] if count else []
            return f"Look at: {', '.join(labels)}"
        if self.tone == "unsure":
            return f"Could not tell: {', '.join(labels)}"
        return "All well" if self.tone == "good" else "Nothing has happened yet"


@dataclass(frozen=True)
class Check:
    """The newest of one kind of check."""

    use_case: str
    kind: str
    verdict: str
    message: str
    dag_run_id: str
    checked_for: datetime
    report_uri: str | None


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
    seen_at: datetime | None
    live: int
    versions: list[int] | None


def standings(inquiry: Inquiry, use_cases: Sequence[UseCase], rights: Rights, now: datetime) -> tuple[Standing, ...]:
    """Where each use case stands, in the order they were given.

    Args:
        inquiry: Where everything that happened is written down.
        use_cases: Whose.
        rights: For each of them the stages that the person may read; at least one.
        now: The moment that heartbeats are measured against; aware.
    """
    names = [u.name for u in use_cases]
    rows = (Row(**row) for row in inquiry.rows("use_cases", {"use_cases": names, "fresh_since": now - FRESH}))
    checks: dict[str, list[Check]] = defaultdict(list)
    for row in inquiry.rows("newest_checks", {"use_cases": names}):
        checks[row["use_case"]].append(Check(**row))
    open_: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents(inquiry, rights):
        open_[incident.use_case].append(incident)
    return tuple(
        Standing(
            use_case.name,
            use_case.title,
            visible((*told(row), *(checked(checks[use_case.name]))), rights[use_case.name]),
            tuple(open_[use_case.name]),
        )
        for use_case, row in zip(use_cases, rows, strict=True)
    )


def visible(known: Sequence[Fact], stages: frozenset[Stage]) -> tuple[Fact, ...]:
    """What is of stages that a person may read."""
    return tuple(fact for fact in known if fact.stage in stages)


def told(row: Row) -> tuple[Fact, ...]:
    """What a row says, in words."""
    return (_served(row), *_challenger(row), _endpoint(row), _decision(row), _batch(row))


def checked(checks: Sequence[Check]) -> tuple[Fact, ...]:
    """What the newest checks say, in words."""
    newest = {check.kind: check for check in checks}
    return tuple(_check(label, newest.get(kind)) for kind, label in CHECKS.items())


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
    detail = f"Version {row.decided_version}: {row.decision_message}"
    link = facts.page_of(row.use_case, "decision", row.decision_run, row.decision_uri)
    return Fact("Last decision", row.decision_code, facts.of_decision(row.decision_code), detail, row.decided_at, link)


def _batch(row: Row) -> Fact:
    if row.batch_id is None or row.batch_status is None:
        return Fact("Last batch", "none yet", stage="ingest")
    detail = f"Batch {row.batch_id}: {_count(row.batch_rows)} rows, {_count(row.quarantined)} quarantined"
    detail += f". {row.batch_reason}" if row.batch_reason else ""
    tone = facts.of_batch(row.batch_status)
    return Fact("Last batch", row.batch_status, tone, detail, row.landed_at, stage="ingest")


def _count(number: int | None) -> str:
    return "unknown" if number is None else plain(number)


def _check(label: str, check: Check | None) -> Fact:
    if check is None:
        return Fact(label, "not checked yet", stage="monitor")
    link = facts.page_of(check.use_case, check.kind, check.dag_run_id, check.report_uri)
    tone = facts.of_verdict(check.verdict)
    return Fact(label, check.verdict, tone, check.message, check.checked_for, link, "monitor")
