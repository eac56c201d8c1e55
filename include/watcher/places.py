"""Places that everything leans on: the warehouse, the registry, the disks."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil
import psycopg2

from sluice.adapters.warehouse import place
from sluice.domain.alert import PLATFORM, Alert
from watcher.airflow import said
from watcher.sight import CannotTell, Seen

CONNECT_SECONDS = 5
GIBIBYTE = 2**30
SLACK = 0.02
"""So much of a disk must be free again beyond the limit before it counts as mended, or each file would send a mail."""


def warehouse(dsn: str, link: str) -> Seen:
    """Whether the warehouse answers a query.

    Args:
        dsn: Its address.
        link: The watcher's page.
    """
    where = place(dsn)
    try:
        connection = psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS, application_name="sluice-watcher")
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connection.close()
    except psycopg2.Error as error:
        seen = " ".join(str(error).split()) or type(error).__name__
        alert = Alert(
            cause="warehouse",
            use_case=PLATFORM,
            stage="warehouse",
            kind="warehouse_down",
            headline="Postgres",
            facts=(("Address", where),),
            error=seen,
            advice="Look at the database's log and its disk, and start it again. Endpoints go on answering meanwhile "
            "and keep what they answered in memory; what needs the warehouse fails, and is told of when it is back.",
            links=(("What the watcher sees", link),),
        )
        return Seen((alert,), seen)
    return Seen(note=where)


def registry(http: httpx.Client, url: str, link: str) -> Seen:
    """Whether MLflow answers.

    Args:
        http: Asks.
        url: Its base URL.
        link: The watcher's page.
    """
    try:
        http.get(f"{url.rstrip('/')}/health").raise_for_status()
    except httpx.HTTPError as error:
        alert = Alert(
            cause="registry",
            use_case=PLATFORM,
            stage="registry",
            kind="registry_down",
            headline="MLflow",
            facts=(("Address", url),),
            error=said(error),
            advice="Look at its log (`make logs SERVICE=mlflow`, or the container's) and start it again. Endpoints go "
            "on with what they serve; trainings, promotions and rollbacks fail until it is back.",
            links=(("What the watcher sees", link),),
        )
        return Seen((alert,), said(error))
    return Seen(note=url)


class Disk:
    """The disk under a folder.

    Args:
        folder: Where.
        full: Used share from which it is nearly full.
        link: The watcher's page.
    """

    def __init__(self, folder: Path, full: float, link: str) -> None:
        self.folder, self._full, self._link = folder, full, link
        self._was_full = False

    def look(self) -> Seen:
        """Whether it is nearly full.

        Raises:
            CannotTell: There is no such folder.
        """
        try:
            usage = psutil.disk_usage(str(self.folder))
        except OSError as error:
            raise CannotTell(f"{self.folder}: {error.strerror}") from error
        # What only root may use is no room for anybody else.
        share = usage.used / ((usage.used + usage.free) or 1)
        note = f"{share:.0%} used, {usage.free / GIBIBYTE:.1f} GiB free"
        self._was_full = share >= self._full - (SLACK if self._was_full else 0)
        if not self._was_full:
            return Seen(note=note)
        alert = Alert(
            cause=f"disk:{self.folder}",
            use_case=PLATFORM,
            stage="disk",
            kind="disk_full",
            headline=str(self.folder),
            facts=(("Folder", str(self.folder)), ("Used", note), ("Limit", f"{self._full:.0%}")),
            error=f"The disk under {self.folder} is nearly full: {note}.",
            advice="Make room before the database stops: lower the specs' retention and run sluice_retention, remove "
            "old days of serving.answers, or enlarge the disk.",
            links=(("What the watcher sees", self._link),),
        )
        return Seen((alert,), note)
