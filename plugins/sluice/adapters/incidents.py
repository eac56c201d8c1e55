"""Incidents: the ledger of what is wrong, by which one cause is one mail until it heals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sluice.adapters.warehouse import Warehouse, fetch
from sluice.domain.alert import GENERAL, PASSING, Alert

#: How long whoever set about sending a mail may take, on a busy machine, to a slow server; then somebody else does.
PATIENCE = timedelta(minutes=5)
#: After which a cause that is still seen is told again: what fails weekly each time, what fails daily once a week.
REMINDER = timedelta(days=6)
#: What a cause that stands for all that begin with it ends with, as `task:housing_train.` does.
PREFIXES = (":", ".")


@dataclass(frozen=True)
class Incident:
    """One thing that was wrong, from when until when; open where there is no end."""

    alert: Alert
    times: int
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class Incidents:
    """The ledger, in a warehouse. Several processes may use it at once: each mail falls to one of them.

    Raises, in every method:
        TransientError: The warehouse does not answer.
    """

    warehouse: Warehouse

    def open(self, alert: Alert, now: datetime) -> bool:
        """Enter that something is seen to be wrong.

        Args:
            alert: What is wrong.
            now: When it is seen.

        Returns:
            Whether a mail is due, which is the caller's to send: it is the first sight of this cause, or an earlier
            mail could not be sent, or the last one is long ago.
        """
        values = {
            "cause": alert.cause,
            "use_case": alert.use_case,
            "kind": alert.kind,
            "occasion": alert.occasion,
            "alert": json.dumps(asdict(alert.printable())),
            "now": now,
            "told_at": None,
            "patience": PATIENCE,
            "reminder": REMINDER,
            "passing": list(PASSING),
        }
        with self.warehouse.transaction() as connection:
            fetch(connection, self.warehouse.statement("incidents/lock"))
            is_general = alert.occasion and alert.kind in GENERAL
            if is_general and fetch(connection, self.warehouse.statement("incidents/group"), values):
                # Of two tasks either may fail first the next time; a run is always the last to speak.
                if alert.kind != "run_failed":
                    fetch(connection, self.warehouse.statement("incidents/open"), values | {"told_at": now})
                return False
            fetch(connection, self.warehouse.statement("incidents/open"), values)
            return bool(fetch(connection, self.warehouse.statement("incidents/claim"), values))

    def newest(self, cause: str) -> Incident:
        """What is known of a cause that was seen before."""
        [row] = self._rows("newest", cause=cause)
        return Incident(_alert(row["alert"]), row["times"], row["opened_at"], row["closed_at"])

    def mailed(self, cause: str) -> bool:
        """Enter that the mail that was due is out.

        Returns:
            Whether the cause is gone since, of which nobody was told: that mail is due now, and the caller's to send.
        """
        return any(row["is_over"] for row in self._rows("mailed", cause=cause))

    def released(self, cause: str) -> None:
        """Enter that the mail that was due, of failure or recovery, could not be sent: it falls to the next sight."""
        self._rows("released", cause=cause)

    def heal(self, cause: str, *, still: Sequence[str] = ()) -> tuple[Alert, ...]:
        """Enter that a cause is gone.

        Args:
            cause: The cause; or the beginning of several, which ends with a colon or a dot.
            still: Causes that begin so and are not gone.

        Returns:
            What was open and is owed a mail that it has recovered, which is the caller's to send.
        """
        rows = self._rows("heal", cause=cause, is_prefix=cause.endswith(PREFIXES), still=list(still))
        return tuple(_alert(row["alert"]) for row in rows if row["told"])

    def closed(self, cause: str) -> None:
        """Enter that the mail of a recovery is out."""
        self._rows("closed", cause=cause)

    def dismiss(self, cause: str) -> None:
        """Enter that a cause, or all that begin so, is gone, which nobody needs to hear of."""
        self._rows("dismiss", cause=cause, is_prefix=cause.endswith(PREFIXES))

    def owed(self, now: datetime) -> tuple[Alert, ...]:
        """What is open, is told to nobody, and is no longer anybody's to tell: from now on the caller's."""
        return tuple(_alert(row["alert"]) for row in self._rows("owed", now=now, patience=PATIENCE))

    def owed_recoveries(self, now: datetime) -> tuple[Alert, ...]:
        """What has healed, was told, and whose recovery is no longer anybody's to tell: from now on the caller's."""
        return tuple(_alert(row["alert"]) for row in self._rows("owed_recoveries", now=now, patience=PATIENCE))

    def _rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        return self.warehouse.rows(self.warehouse.statement(f"incidents/{statement}"), values)


def _alert(stored: Mapping[str, Any]) -> Alert:
    pairs = {name: tuple((label, value) for label, value in stored[name]) for name in ("facts", "links")}
    return Alert(**{**stored, **pairs, "log": tuple(stored["log"])})
