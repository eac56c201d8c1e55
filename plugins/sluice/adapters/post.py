"""Post: one cause is one mail, and one more when it has healed, whoever saw it and whatever is down."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg2

from sluice.adapters import letters
from sluice.adapters.incidents import Incidents
from sluice.adapters.letters import Letter
from sluice.domain.alert import PASSING, Alert
from sluice.domain.errors import TransientError

#: What the mail says that could not be compared with those before.
UNGROUPED = ("Grouping", "none: the ledger of incidents cannot be reached, so this mail may not be the only one")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Post:
    """Tells people what is wrong and what is no longer.

    Attributes:
        incidents: What was told already.
        deliver: Mails a letter about an alert to whom it concerns; raises when nobody got it.
        runbook_url: Where people read the runbook; empty where they read the file.
        spread: Takes a letter whose mail is out by further ways, however long they take; raises nothing.
    """

    incidents: Incidents
    deliver: Callable[[Alert, Letter], None]
    runbook_url: str = ""
    spread: Callable[[Alert, Letter], None] = lambda *_: None

    def tell(self, alert: Alert, now: datetime | None = None) -> bool:
        """Enter what is seen to be wrong, and mail it where that is due; mail what is owed since earlier, too.

        Args:
            alert: What is wrong.
            now: When it is seen.

        Returns:
            Whether a mail went out; without one, an earlier mail has told of it.

        Raises:
            Exception: Whatever kept the mail from being sent; it is owed, and goes with the next sight of anything.
        """
        now = now or datetime.now(UTC)
        try:
            due = self.incidents.open(alert, now)
        except (TransientError, psycopg2.Error) as error:
            log.warning("the mail goes out without being compared with earlier ones: %s", error)
            letter = letters.failure(replace(alert, facts=(*alert.facts, UNGROUPED)), now, self.runbook_url)
            self.deliver(alert, letter)
            self.spread(alert, letter)
            return True
        if due:
            self._mail(alert)
        self.catch_up(now)
        return due

    def heal(self, cause: str, *, still: Sequence[str] = ()) -> tuple[Alert, ...]:
        """Enter that a cause is gone, and say so where people were told of it.

        Args:
            cause: The cause; or the beginning of several, which ends with a colon or a dot.
            still: Causes that begin so and are not gone.

        Returns:
            What people were told has recovered.

        Raises:
            TransientError: The warehouse does not answer.
            Exception: Whatever kept a mail from being sent; it is owed.
        """
        healed = self.incidents.heal(cause, still=still)
        for alert in healed:
            self._mail_recovery(alert)
        return healed

    def dismiss(self, cause: str) -> None:
        """Enter that a cause, or all that begin so, is gone, which nobody needs to hear of."""
        self.incidents.dismiss(cause)

    def catch_up(self, now: datetime | None = None) -> None:
        """Mail what could not be mailed earlier.

        Raises:
            TransientError: The warehouse does not answer.
            Exception: Whatever kept a mail from being sent; it is still owed.
        """
        now = now or datetime.now(UTC)
        for alert in self.incidents.owed(now):
            self._mail(alert)
        for alert in self.incidents.owed_recoveries(now):
            self._mail_recovery(alert)

    def _mail(self, alert: Alert) -> None:
        known = self.incidents.newest(alert.cause)
        letter = letters.failure(alert, known.opened_at, self.runbook_url, known.times)
        self._send(alert, letter)
        is_over = self.incidents.mailed(alert.cause)
        if alert.kind in PASSING:
            self.incidents.dismiss(alert.cause)
        self.spread(alert, letter)
        if is_over:
            self._mail_recovery(alert)

    def _mail_recovery(self, alert: Alert) -> None:
        known = self.incidents.newest(alert.cause)
        until = known.closed_at or datetime.now(UTC)
        letter = letters.recovery(alert, known.opened_at, until, known.times)
        self._send(alert, letter)
        self.incidents.closed(alert.cause)
        self.spread(alert, letter)

    def _send(self, alert: Alert, letter: Letter) -> None:
        try:
            self.deliver(alert, letter)
        except BaseException:
            self.incidents.released(alert.cause)
            raise
