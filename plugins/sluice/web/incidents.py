"""Incidents: what is wrong just now, for those who may know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.domain.alert import PLATFORM, TITLES
from sluice.web.inquiry import Inquiry
from sluice.web.rights import STAGES, Rights

_TITLES = {str(kind): title for kind, title in TITLES.items()}


@dataclass(frozen=True)
class Incident:
    """One thing that is wrong.

    Attributes:
        use_case: Whose; `platform` where it is no use case's.
        title: What is wrong, in a line.
        error: What was seen.
        advice: What to do next.
        times: How often it has been seen.
        opened_at: Since when it is wrong.
        seen_at: When it was seen last.
        mailed_at: When somebody was told; None where nobody has been yet.
    """

    use_case: str
    title: str
    error: str
    advice: str
    times: int
    opened_at: datetime
    seen_at: datetime
    mailed_at: datetime | None


def incidents(inquiry: Inquiry, rights: Rights, platform: bool = False) -> tuple[Incident, ...]:
    """What is wrong, the newest first.

    Args:
        inquiry: Where it is written down.
        rights: What the person may see.
        platform: Whether they may see what is wrong with the platform, too.
    """
    owners = [*rights, *([PLATFORM] if platform else [])]
    found = inquiry.rows("incidents", {"use_cases": owners})
    return tuple(_incident(row) for row in found if _visible(row, rights))


def _visible(row: Mapping[str, Any], rights: Rights) -> bool:
    """Whether it is of no stage, or of a stage that the person may read."""
    stage = row["alert"].get("stage")
    return row["use_case"] == PLATFORM or stage not in STAGES or stage in rights[row["use_case"]]


def _incident(row: Mapping[str, Any]) -> Incident:
    alert = row["alert"]
    kind = _TITLES.get(row["kind"], row["kind"])
    return Incident(
        use_case=row["use_case"],
        title=" ".join(part for part in (alert.get("stage", ""), f"{kind}:", alert.get("headline", "")) if part),
        error=alert.get("error", ""),
        advice=alert.get("advice", ""),
        times=row["times"],
        opened_at=row["opened_at"],
        seen_at=row["seen_at"],
        mailed_at=row["mailed_at"],
    )
