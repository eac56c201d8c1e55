"""The ledger: what served at any moment, since when, by whom and why; and every release that was ever made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sluice.domain.release import Release

if TYPE_CHECKING:
    from sluice.adapters.warehouse import Warehouse


@dataclass(frozen=True)
class Challenger:
    """A release beside the one that serves.

    Attributes:
        version: Its number.
        share: Of the traffic, that it answered; 0 for shadow.
        since: When it began to answer that share.
    """

    version: int
    share: float
    since: datetime


@dataclass(frozen=True)
class Served:
    """What served at a moment.

    Attributes:
        use_case: Name of the registered model.
        version: Its number.
        since: When it was let serve.
        until: When it was followed by another; None for what serves now.
        action: `promote` or `rollback`.
        actor: Who let it serve.
        reason: Why.
        decision_id: The decision by which it may serve; None where there was none.
        decision: That decision in words.
        bento: Tag of its bento; None, with what follows, where the release is unknown.
        bundle_sha256: Names the bundle's content.
        run_id: The training run.
        snapshot_id: What it was trained on.
        challenger: What was tried beside it at that moment.
    """

    use_case: str
    version: int
    since: datetime
    until: datetime | None
    action: str
    actor: str
    reason: str
    decision_id: int | None
    decision: str | None
    bento: str | None
    bundle_sha256: str | None
    run_id: str | None
    snapshot_id: str | None
    challenger: Challenger | None


@dataclass(frozen=True)
class Move:
    """A row of the ledger.

    Attributes:
        deployed_at: When.
        action: `promote`, `rollback`, `canary` or `withdraw`.
        from_version: What served until then; None for the first release.
        to_version: What the move is about.
        share: Of the traffic, that `to_version` answered from then on.
        actor: Who ordered it.
        reason: Why.
    """

    deployed_at: datetime
    action: str
    from_version: int | None
    to_version: int
    share: float
    actor: str
    reason: str


@dataclass(frozen=True)
class Published:
    """A release as the ledger has it.

    Attributes:
        release: It; where its bento is, the ledger does not know.
        removed_at: When its bento and copies were removed; None while they are there.
        may_serve: Whether it was deployed once, or decided to be.
    """

    release: Release
    removed_at: datetime | None
    may_serve: bool


def served_at(warehouse: Warehouse, use_case: str, moment: datetime) -> Served | None:
    """What served at a moment, the challenger beside it, and how both came to; None where nothing did.

    Args:
        warehouse: Holds the ledger.
        use_case: Whose.
        moment: With a time zone.
    """
    rows = warehouse.rows(warehouse.statement("release/served_at"), {"use_case": use_case, "moment": moment})
    for row in rows:
        version, share, since = (row.pop(f"challenger_{name}") for name in ("version", "share", "since"))
        return Served(use_case=use_case, challenger=Challenger(version, share, since) if version else None, **row)
    return None


def moves(warehouse: Warehouse, use_case: str, most: int) -> tuple[Move, ...]:
    """The last moves of a use case, newest first."""
    rows = warehouse.rows(warehouse.statement("release/moves"), {"use_case": use_case, "most": most})
    return tuple(Move(**row) for row in rows)


def began(warehouse: Warehouse, use_case: str) -> datetime | None:
    """When the first version was let serve; None where none was."""
    [row] = warehouse.rows(warehouse.statement("release/began"), {"use_case": use_case})
    moment: datetime | None = row["began"]
    return moment


def previous(warehouse: Warehouse, use_case: str, version: int) -> int | None:
    """What served when a version was promoted; None where nothing did, or where it never served."""
    rows = warehouse.rows(warehouse.statement("release/previous"), {"use_case": use_case, "version": version})
    before: int | None = rows[0]["from_version"] if rows else None
    return before


def published(warehouse: Warehouse, use_case: str) -> tuple[Published, ...]:
    """Every release of a use case, newest first."""
    rows = warehouse.rows(warehouse.statement("release/released"), {"use_case": use_case})
    return tuple(
        Published(
            removed_at=row.pop("removed_at"),
            may_serve=row.pop("may_serve"),
            release=Release(use_case=use_case, bento_path="", **row),
        )
        for row in rows
    )
