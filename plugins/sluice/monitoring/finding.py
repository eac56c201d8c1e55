"""A finding: what one check of the data's quality came to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at, and where: `batch.missing`, `predictions.volume`.
        column: Of which column; empty where it is of the whole.
        value: What was measured; None where it could not be.
        limit: What it may be at most; None where the spec sets none.
        passed: Whether it is within the limit; None is "could not tell".
        detail: The same in a sentence.
    """

    check: str
    column: str
    value: float | None
    limit: float | None
    passed: bool | None
    detail: str
