"""Deployments: what serves, since when, by whom and why; and the move from one release to the next."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import fetch
from sluice.domain.contract import MANIFEST
from sluice.domain.errors import StateError, TransientError
from sluice.domain.release import Release

if TYPE_CHECKING:
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

    from sluice.adapters.warehouse import Warehouse

Action = Literal["promote", "rollback"]

#: A heartbeat older than this says nothing about its process.
FRESH = timedelta(seconds=10)


@dataclass(frozen=True)
class Order:
    """A move that was decided.

    Attributes:
        release: What shall serve.
        from_version: What serves until then; None for the first release.
        decision_id: The decision behind it; None where there was none.
        actor: Who ordered it.
        reason: Why.
        action: A decision carried out, or the way back.
    """

    release: Release
    from_version: int | None
    decision_id: int | None
    actor: str
    reason: str
    action: Action = "promote"


def publish(warehouse: Warehouse, store: ObjectStore, release: Release, bundle_folder: Path) -> None:
    """Put a release where any replica finds it, and into the ledger; doing it again changes nothing.

    Raises:
        StateError: The version was published with another bundle, as happens when the registry counts anew.
    """
    prefix = f"releases/{release.use_case}/{release.version}"
    with warehouse.transaction() as connection:
        [row] = fetch(
            connection,
            warehouse.statement("release/publish"),
            {
                "use_case": release.use_case,
                "version": release.version,
                "bundle_sha256": release.bundle_sha256,
                "runtime_sha256": release.runtime_sha256,
                "run_id": release.run_id,
                "snapshot_id": release.snapshot_id,
                "bento": release.bento,
                "uri": store.url(prefix),
                "image": release.image,
            },
        )
        if row["bundle_sha256"] != release.bundle_sha256:
            raise StateError(
                f"version {release.version} of {release.use_case} was published with another bundle, "
                f"{row['bundle_sha256']} instead of {release.bundle_sha256}",
                "ml.releases",
                "restore the registry, or train until its numbers are new; a release is never replaced",
            )
        store.put_folder(bundle_folder, prefix, last=MANIFEST)


def deployed(warehouse: Warehouse, use_case: str) -> int | None:
    """The version that serves, as the ledger has it; None before the first deployment."""
    rows = warehouse.rows(warehouse.statement("release/deployed"), {"use_case": use_case})
    return int(rows[0]["to_version"]) if rows else None


def deploy(warehouse: Warehouse, tracking: Tracking, store: ObjectStore, order: Order) -> int:
    """Make a published release the champion, and return the ledger's row.

    One at a time per use case. The registry's alias is what serving follows; the object store's copy is what
    it falls back to. The ledger's row is written with them or, after a crash in between, by the next attempt.

    Raises:
        StateError: The champion is no longer the one that the order names, the decision was carried out before and
            another move, as a canary's withdrawal, has undone it, or the release was removed.
    """
    release = order.release
    with warehouse.transaction() as connection:
        fetch(connection, warehouse.statement("release/lock"), {"use_case": release.use_case})
        refuse_removed(warehouse, connection, release)
        champion = tracking.aliased(release.use_case, "champion")
        now = champion.number if champion else None
        if now not in (order.from_version, release.version):
            raise StateError(
                f"version {now} became champion of {release.use_case} while version {release.version} was to follow "
                f"version {order.from_version}",
                "the champion's alias",
                "promote again, so that it is judged against the champion of today"
                if order.action == "promote"
                else "roll back again, if that is still what is wanted",
            )
        number = _enter(warehouse, connection, order, done=now == release.version)
        pointer = {"version": release.version, "bento": release.bento, "bundle_sha256": release.bundle_sha256}
        # The alias first: a registry that does not answer leaves everything as it was.
        tracking.point(release.use_case, "champion", release.version)
        store.write_bytes(f"releases/{release.use_case}/champion.json", json.dumps(pointer).encode())
    return number


def refuse_removed(warehouse: Warehouse, connection: Connection, release: Release) -> None:
    """Refuse a release that was removed: what retention removes it marks first, under the same lock."""
    values = {"use_case": release.use_case, "version": release.version}
    for row in fetch(connection, warehouse.statement("release/removed"), values):
        raise StateError(
            f"version {release.version} of {release.use_case} was removed on {row['removed_at']:%Y-%m-%d}",
            "ml.releases",
            "train again; what is removed does not come back",
        )


def _enter(warehouse: Warehouse, connection: Connection, order: Order, done: bool) -> int:
    """The ledger's row of a move; where the move is done already, it may have one."""
    use_case, version = order.release.use_case, order.release.version
    newest = fetch(connection, warehouse.statement("release/newest_deployment"), {"use_case": use_case})
    if done and newest and newest[0]["to_version"] == version:
        return int(newest[0]["deployment_id"])
    made = fetch(
        connection,
        warehouse.statement("release/deploy"),
        {
            "use_case": use_case,
            "from_version": order.from_version,
            "to_version": version,
            "decision_id": order.decision_id,
            "actor": order.actor,
            "reason": order.reason,
            "action": order.action,
        },
    )
    if not made:
        raise StateError(
            f"decision {order.decision_id} about version {version} of {use_case} was carried out before, "
            "and another move has undone that",
            "ml.deployments",
            "promote again, so that there is a new decision",
        )
    return int(made[0]["deployment_id"])


def await_live(warehouse: Warehouse, release: Release, timeout: timedelta) -> int:
    """Wait until every worker process with a fresh heartbeat serves a release, and return how many do.

    Args:
        warehouse: Where they show what they serve.
        release: Its version and its bundle's digest must be what they serve.
        timeout: How long that may take.

    Raises:
        StateError: A process refuses it.
        TransientError: They did not in time, or no process has a fresh heartbeat: that is "could not tell".
    """
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        rows = warehouse.rows(warehouse.statement("release/replicas"), {"use_case": release.use_case, "fresh": FRESH})
        if rows and all(_serves(row, release) for row in rows):
            return len(rows)
        if refusing := [row for row in rows if row["reason"].startswith(f"refused: version {release.version}:")]:
            raise StateError(
                f"version {release.version} of {release.use_case} is the champion, and serving refuses it: "
                f"{_told(refusing)}",
                "serving.replicas",
                "what served before goes on; roll back, or mend what the reason names",
            )
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    raise TransientError(
        f"version {release.version} is the champion but not live everywhere after {timeout}: "
        + (_told(row for row in rows if not _serves(row, release)) or "no process has a fresh heartbeat"),
        "serving.replicas",
        _remedy(rows, release),
    )


def _serves(row: dict[str, Any], release: Release) -> bool:
    return (row["version"], row["bundle_sha256"]) == (release.version, release.bundle_sha256)


def _told(rows: Iterable[dict[str, Any]]) -> str:
    """What processes say of themselves."""
    return ", ".join(
        f"{row['host']}/{row['pid']} serves version {row['version']} "
        f"with bundle {(row['bundle_sha256'] or 'none')[:12]} ({row['reason']})"
        for row in rows
    )


def _remedy(rows: Iterable[dict[str, Any]], release: Release) -> str:
    if any("needs_new_image" in row["reason"] for row in rows):
        return f"it was tested with other serving code: start serving from its bento {release.bento}, or its image"
    return "look at the serving log; processes follow the champion as soon as they can"
