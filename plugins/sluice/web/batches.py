"""Batches: what came in for a use case, and what of it lies in quarantine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from sluice.web import facts
from sluice.web.facts import Tone
from sluice.web.inquiry import Inquiry

BATCHES = 15
#: Reasons are counted of so many of a batch's rows in quarantine; counting millions would keep the page waiting.
COUNTED = 20_000


@dataclass(frozen=True)
class Arrival:
    """A batch.

    Attributes:
        batch_id: Its number.
        source: Where it was read from.
        rows: That were read.
        quarantined: Of them in quarantine.
        status: `landed`, `accepted` or `rejected`.
        tone: What that comes to.
        reason: Why it was rejected, or why it is not judged.
        validated: Whether the expectations hold; None where they were not looked at.
        reasons: Code and number of rows, the most frequent first.
        counted: How many rows those numbers are of, where they are not of all; else None.
        landed_at: When it came in.
        judged_at: When it was judged; None where it was not.
        link: The page of what was found in it.
    """

    batch_id: int
    source: str
    rows: int
    quarantined: int
    status: str
    tone: Tone
    reason: str
    validated: bool | None
    reasons: tuple[tuple[str, int], ...]
    counted: int | None
    landed_at: datetime
    judged_at: datetime | None
    link: str | None


def batches(inquiry: Inquiry, use_case: str) -> tuple[Arrival, ...]:
    """What came in last, the newest first."""
    rows = inquiry.rows("batches", {"use_case": use_case, "most": BATCHES})
    reasons = _reasons(inquiry, use_case, [row["batch_id"] for row in rows if row["quarantined"]])
    return tuple(
        Arrival(
            batch_id=row["batch_id"],
            source=row["source_uri"],
            rows=row["rows"],
            quarantined=row["quarantined"],
            status=row["status"],
            tone=facts.of_batch(row["status"]),
            reason=row["reason"] or ("Not judged yet, or judging it failed." if row["status"] == "landed" else ""),
            validated=row["validated"],
            reasons=tuple(reasons.get(row["batch_id"], ())),
            counted=COUNTED if row["quarantined"] > COUNTED else None,
            landed_at=row["landed_at"],
            judged_at=row["judged_at"],
            link=row["report_uri"],
        )
        for row in rows
    )


def _reasons(inquiry: Inquiry, use_case: str, batch_ids: list[int]) -> dict[int, list[tuple[str, int]]]:
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    [table] = inquiry.rows("has_table", {"name": f'quarantine."{use_case}"'})
    if not batch_ids or not table["there"]:
        return found
    wanted = {"batch_ids": batch_ids, "most": COUNTED}
    for row in inquiry.rows("quarantine", wanted, quarantine=("quarantine", use_case)):
        found[row["batch_id"]].append((row["code"], row["quarantined"]))
    return found
