"""The heartbeat: which process serves what, kept in the warehouse and taken back at the end."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from tabular.releases.standing import Standing

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

#: Seconds between two heartbeats.
EVERY = 2.0
#: Longer reasons are cut.
LONGEST_REASON = 2000

BEAT = """
INSERT INTO serving.replicas (
    use_case, host, pid, version, bundle_sha256, source, reason, runtime_sha256, started_at, seen_at,
    challenger_version, challenger_share, challenger_reason
) VALUES (
    %(use_case)s, %(host)s, %(pid)s, %(version)s, %(bundle_sha256)s, %(source)s, %(reason)s,
    %(runtime_sha256)s, %(started_at)s, now(), %(challenger_version)s, %(challenger_share)s, %(challenger_reason)s
)
ON CONFLICT (use_case, host, pid) DO UPDATE SET
    version = excluded.version, bundle_sha256 = excluded.bundle_sha256, source = excluded.source,
    reason = excluded.reason, runtime_sha256 = excluded.runtime_sha256, started_at = excluded.started_at,
    seen_at = excluded.seen_at, challenger_version = excluded.challenger_version,
    challenger_share = excluded.challenger_share, challenger_reason = excluded.challenger_reason
"""
NEIGHBOURS = "SELECT pid FROM serving.replicas WHERE use_case = %(use_case)s AND host = %(host)s"
FORGET = "DELETE FROM serving.replicas WHERE use_case = %(use_case)s AND host = %(host)s AND pid = ANY(%(pids)s)"


class Heartbeat:
    """Shows in `serving.replicas` that this process lives, and what it serves.

    Args:
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        standing: Gives what serves now.
    """

    def __init__(self, use_case: str, runtime_sha256: str, standing: Callable[[], Standing]) -> None:
        self._runtime = runtime_sha256
        self._standing = standing
        self._identity = {"use_case": use_case, "host": socket.gethostname(), "pid": os.getpid()}
        self._started_at = datetime.now(UTC)
        self._last: tuple[float, Standing | None] = (0.0, None)

    def is_due(self) -> bool:
        """Whether there is something new to show, or the last beat is old."""
        at, shown = self._last
        return self._standing() is not shown or time.monotonic() - at >= EVERY

    def beat(self, link: Connection) -> None:
        """Show what serves now; where that fails, too, the next one is due later.

        Raises:
            psycopg2.Error: The warehouse does not take it.
        """
        standing = self._standing()
        self._last = (time.monotonic(), standing)
        release, challenger = standing.release, standing.challenger
        values = self._identity | {
            "version": release.version if release else None,
            "bundle_sha256": release.bundle.sha256 if release else None,
            "source": standing.source,
            "reason": _printable(standing.reason),
            "runtime_sha256": self._runtime,
            "started_at": self._started_at,
            "challenger_version": challenger.release.version if challenger else None,
            "challenger_share": challenger.share if challenger else None,
            "challenger_reason": _printable(standing.challenger_reason),
        }
        with link, link.cursor() as cursor:
            cursor.execute(BEAT, values)

    def bury_dead_neighbours(self, link: Connection) -> None:
        """Take back the heartbeats of processes that were killed on this host."""
        with link, link.cursor() as cursor:
            cursor.execute(NEIGHBOURS, self._identity)
            dead = [pid for (pid,) in cursor.fetchall() if not psutil.pid_exists(pid)]
            cursor.execute(FORGET, self._identity | {"pids": dead})

    def take_back(self, link: Connection) -> None:
        """Take this process's own heartbeat back."""
        with link, link.cursor() as cursor:
            cursor.execute(FORGET, self._identity | {"pids": [self._identity["pid"]]})

    def forget(self) -> None:
        """Let the next beat be due at once: the warehouse was away, and may have lost the last one."""
        self._last = (0.0, None)


def _printable(reason: str | None) -> str | None:
    """A reason as any database can hold it: it quotes what registries and bundles say, and they may say anything."""
    if reason is None:
        return None
    return "".join(each if each.isprintable() else " " for each in reason[:LONGEST_REASON])
