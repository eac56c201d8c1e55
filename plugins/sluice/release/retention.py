"""Retention: what of the past is removed, and what never is, because a deployment could need it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from sluice.adapters.objects import ObjectStore
from sluice.adapters.removals import removing
from sluice.adapters.tracking import Registered, Tracking, Version
from sluice.adapters.warehouse import fetch
from sluice.domain.errors import SluiceError, StateError
from sluice.domain.policy import Retention
from sluice.release import depot

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.sql import Composed

    from sluice.adapters.warehouse import Warehouse

#: How the label of a bento or of an image begins: `v12-` and digits of its bundle's digest.
_LABEL = re.compile(r"v(\d+)-[0-9a-f]{12}")


@dataclass(frozen=True)
class Removal:
    """What is removed of one use case.

    Attributes:
        use_case: Whose past it is.
        versions: Model versions, with their runs, their copies in the object store, bentos and images.
        bentos: Folders of this machine's bento store, of these versions and of others that are long gone; what other
            machines have fetched goes when a removal happens to run there.
        snapshots: Ids of the snapshots whose files are removed; the ledger keeps their rows.
    """

    use_case: str
    versions: tuple[Version, ...]
    bentos: tuple[Path, ...]
    snapshots: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.versions or self.bentos or self.snapshots)

    def __str__(self) -> str:
        numbers = ", ".join(str(version.number) for version in self.versions) or "none"
        labels = ", ".join(folder.name for folder in self.bentos) or "none"
        return f"{self.use_case}: versions {numbers}; bentos {labels}; snapshots {', '.join(self.snapshots) or 'none'}"


@dataclass(frozen=True)
class Archive:
    """Where the past of every use case lies.

    Attributes:
        warehouse: The ledgers.
        tracking: The registry with its runs.
        store: The object store with the releases' copies and the snapshots.
        bentos: The bento store (`BENTOML_HOME`).
        remove_image: Removes the image of a bento, by the bento's name and label; without an engine, does nothing.
    """

    warehouse: Warehouse
    tracking: Tracking
    store: ObjectStore
    bentos: Path
    remove_image: Callable[[str, str], None]

    def plan(self, use_case: str, policy: Retention, now: datetime) -> Removal:
        """What the policy lets go of; nothing is touched.

        Kept are: what any alias names, what the last deployments moved from or to, what was decided about or
        registered lately, the newest versions; and the snapshots all these were trained on, with the newest one.

        Args:
            use_case: Whose past.
            policy: How much of it stays.
            now: What "lately" is reckoned from.
        """
        with self.warehouse.transaction() as connection:
            return self._plan(connection, use_case, policy, now)

    def clear(self, use_case: str, policy: Retention, now: datetime) -> Removal:
        """Remove what the policy lets go of, and say what that was.

        The ledgers are marked first, under the lock that every deployment takes: from then on nothing can go back
        to what is about to vanish. A removal that is cut short goes on with the next one, and one that meets a backup
        waits for its end.

        Raises:
            StateError: An image is in use, so it and its bento stay; everything else is removed.
        """
        with removing(self.warehouse):
            return self._clear(use_case, policy, now)

    def _clear(self, use_case: str, policy: Retention, now: datetime) -> Removal:
        with self.warehouse.transaction() as connection:
            fetch(connection, self.warehouse.statement("release/lock"), {"use_case": use_case})
            removal = self._plan(connection, use_case, policy, now)
            marked = {
                "use_case": use_case,
                "versions": [version.number for version in removal.versions],
                "snapshots": list(removal.snapshots),
            }
            fetch(connection, self.warehouse.statement("release/mark_removed"), marked)
            fetch(connection, self._statement("forget_looks"), {"use_case": use_case, "since": _since(policy, now)})
        for snapshot_id in removal.snapshots:
            self.store.remove(_snapshot_key(use_case, snapshot_id))
        kept = [reason for folder in removal.bentos if (reason := self._remove_bento(use_case, folder))]
        for version in removal.versions:
            self.store.remove(f"releases/{use_case}/{version.number}")
            self.store.remove(depot.shelf(use_case, version.number))
            # Last: what the registry still lists is found again by the next removal.
            self.tracking.remove(version)
        if kept:
            raise StateError(f"images that could not be removed: {'; '.join(kept)}", action="end what runs them")
        return removal

    def _remove_bento(self, use_case: str, folder: Path) -> str | None:
        """Remove a bento and its image; where the image is in use both stay, and why is returned."""
        try:
            self.remove_image(use_case, folder.name)
        except SluiceError as error:
            return str(error)
        shutil.rmtree(folder)
        return None

    def _plan(self, connection: Connection, use_case: str, policy: Retention, now: datetime) -> Removal:
        since = _since(policy, now)
        values = {"use_case": use_case, "deployments": policy.deployments, "since": since}
        needed = {row["version"] for row in fetch(connection, self._statement("needed_versions"), values)}
        history = self.tracking.history(use_case)
        kept = [known for place, known in enumerate(history) if _is_kept(known, place, needed, policy, since)]
        gone = tuple(known.version for known in history if known not in kept)
        numbers = needed | {known.version.number for known in kept}
        snapshots = [known.version.tags["snapshot_id"] for known in kept if "snapshot_id" in known.version.tags]
        removable = fetch(connection, self._statement("removable_snapshots"), {**values, "kept": snapshots})
        return Removal(
            use_case,
            gone,
            tuple(
                folder
                for folder in _built(self.bentos / "bentos" / use_case)
                if _version(folder) not in numbers and not _runs_from(folder)
            ),
            tuple(i for row in removable if self.store.exists(_snapshot_key(use_case, i := row["snapshot_id"]))),
        )

    def _statement(self, name: str) -> Composed:
        return self.warehouse.statement(f"release/{name}")


def _is_kept(known: Registered, place: int, needed: set[int], policy: Retention, since: datetime) -> bool:
    return bool(known.aliases or known.version.number in needed or place < policy.candidates or known.at > since)


def _since(policy: Retention, now: datetime) -> datetime:
    return now - timedelta(days=policy.days)


def _runs_from(folder: Path) -> bool:
    """Whether a process of this host was started from a bento: it serves later releases, and restarts here."""
    lines = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    return any(str(folder) in argument for line in lines for argument in line)


def _snapshot_key(use_case: str, snapshot_id: str) -> str:
    return f"snapshots/{use_case}/{snapshot_id}.parquet"


def _built(folder: Path) -> list[Path]:
    """The bentos below a use case's folder, without what is not one, as the file that names the latest."""
    return sorted(path for path in folder.iterdir() if _LABEL.fullmatch(path.name)) if folder.is_dir() else []


def _version(bento: Path) -> int:
    [number] = _LABEL.findall(bento.name)
    return int(number)
