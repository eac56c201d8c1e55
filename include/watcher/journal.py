"""The journal: each fault is told once and its end once, whether or not the ledger of incidents can be reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg2

from sluice.adapters import letters
from sluice.adapters.incidents import Incidents
from sluice.adapters.letters import Letter
from sluice.adapters.post import Post
from sluice.domain.alert import Alert, Kind
from sluice.domain.errors import TransientError
from watcher.confirmation import Confirmed
from watcher.memory import Fault, Memory, alert_of
from watcher.sight import Look

#: What the mail says that went out while the ledger was away.
APART = ("Ledger", "the warehouse cannot be reached; this is entered there when it is back")
#: Kinds whose end only the watcher sees, whoever told of them.
HEALED_HERE: tuple[Kind, ...] = (
    "import_error",
    "airflow_down",
    "scheduler_down",
    "dag_processor_down",
    "triggerer_down",
    "worker_down",
    "warehouse_down",
    "registry_down",
    "serving_not_ready",
    "log_drops",
    "disk_full",
)

log = logging.getLogger(__name__)

Deliver = Callable[[Alert, Letter], None]


class Journal:
    """Tells people what is wrong and what is no longer.

    Args:
        incidents: The ledger.
        deliver: Sends a letter about an alert to whom it concerns. Raises OSError when nobody got it.
        memory: What was told already.
        runbook_url: Where people read the runbook.
    """

    def __init__(self, incidents: Incidents, deliver: Deliver, memory: Memory, runbook_url: str = "") -> None:
        self._incidents, self._deliver, self._memory, self._runbook = incidents, deliver, memory, runbook_url
        self._post = Post(incidents, self._send, runbook_url)
        self._unsent, self._is_cut_off = 0, False

    def open(self) -> tuple[str, ...]:
        """Causes of what is wrong, as far as is known here."""
        return tuple(cause for cause, fault in self._memory.faults.items() if fault.healed_at is None)

    def unsaid(self) -> int:
        """How many letters could not be sent when it was last tried."""
        return self._unsent

    def note(self, bad: Sequence[Confirmed], healed: Sequence[str], now: datetime) -> None:
        """Take down what a round has found; `settle` tells it."""
        for each in bad:
            self._memory.faults[each.alert.cause] = Fault(each.alert, now - timedelta(seconds=each.age))
            log.warning("bad: %s: %s", each.alert.title, each.alert.error.splitlines()[0] if each.alert.error else "")
        for cause in healed:
            self._memory.faults[cause].healed_at = now
            log.info("well again: %s", cause)
        if bad or healed:
            self._memory.save()

    def settle(self, reachable: bool) -> None:
        """Tell what is untold, and enter in the ledger what is not there; what cannot be done now is left for later.

        Args:
            reachable: Whether the warehouse answers.
        """
        self._unsent, self._is_cut_off = 0, False
        for cause, fault in list(self._memory.faults.items()):
            before = replace(fault)
            try:
                is_over = self._enter(fault) if reachable else self._tell_apart(fault)
            except (TransientError, psycopg2.Error) as error:
                log.warning("the ledger of incidents cannot be reached: %s", " ".join(str(error).split()))
                reachable, is_over = False, False
            except OSError as error:
                self._fail(cause, error)
                is_over = False
            if is_over:
                del self._memory.faults[cause]
            if is_over or fault != before:
                self._memory.save()
        if reachable:
            self._catch_up()

    def adopt(self, looks: Collection[Look], kinds: Sequence[Kind] = HEALED_HERE) -> None:
        """Take over what the ledger holds as wrong and told, whoever told it, where a look would see that it is gone.

        Raises:
            TransientError: The warehouse does not answer.
        """
        warehouse = self._incidents.warehouse
        for row in warehouse.rows(warehouse.statement("watcher/open_incidents"), {"kinds": list(kinds)}):
            if row["cause"] not in self._memory.faults and any(look.owns(row["cause"]) for look in looks):
                fault = Fault(alert_of(row["alert"]), row["opened_at"], told=True, stored=True)
                self._memory.faults[row["cause"]] = fault
                self._memory.save()

    def forget_others(self, looks: Collection[Look]) -> None:
        """Give up what no look sees any more, such as a disk that is not looked at now: it would stay for ever.

        Raises:
            TransientError: The warehouse does not answer.
        """
        for cause in [cause for cause in self._memory.faults if not any(look.owns(cause) for look in looks)]:
            self._incidents.dismiss(cause)
            del self._memory.faults[cause]
            self._memory.save()
            log.info("nobody looks at it any more: %s", cause)

    def _enter(self, fault: Fault) -> bool:
        """Bring a fault into the ledger; whether it is over."""
        cause = fault.alert.cause
        if fault.healed_at and not fault.told:
            return True
        if not fault.stored:
            due = self._incidents.open(fault.alert, datetime.now(UTC))
            fault.stored = True
            if due and fault.told:
                self._incidents.mailed(cause)
            elif due:
                self._mail(fault)
            # What could not be sent is owed by the ledger from now on.
            fault.told = True
        if fault.healed_at is None:
            return False
        if fault.recovery_told:
            self._incidents.heal(cause)
            self._incidents.closed(cause)
        else:
            self._post.heal(cause)
        return True

    def _mail(self, fault: Fault) -> None:
        try:
            self._send(fault.alert, letters.failure(fault.alert, fault.since, self._runbook))
        except OSError as error:
            self._fail(fault.alert.cause, error)
            self._incidents.released(fault.alert.cause)
        else:
            # Before the ledger, which may go away in this moment.
            fault.told = True
            self._memory.save()
            self._incidents.mailed(fault.alert.cause)

    def _tell_apart(self, fault: Fault) -> bool:
        """Tell of a fault while the ledger is away; whether nothing is left to be entered later."""
        if fault.healed_at and not fault.told:
            return True
        if not fault.told:
            apart = replace(fault.alert, facts=(*fault.alert.facts, APART))
            self._send(apart, letters.failure(apart, fault.since, self._runbook))
            fault.told = True
        if fault.healed_at and not fault.recovery_told:
            self._send(fault.alert, letters.recovery(fault.alert, fault.since, fault.healed_at))
            fault.recovery_told = True
        return False

    def _catch_up(self) -> None:
        """Send what others could not, too: whoever failed to send a mail is over by now."""
        try:
            self._post.catch_up()
        except (TransientError, psycopg2.Error) as error:
            log.warning("the ledger of incidents cannot be reached: %s", " ".join(str(error).split()))
        except OSError as error:
            self._fail("what is owed", error)

    def _send(self, alert: Alert, letter: Letter) -> None:
        """Send a letter, unless the server has just kept another waiting for nothing."""
        if self._is_cut_off:
            raise ConnectionError("the mail server did not answer a moment ago")
        try:
            self._deliver(alert, letter)
        except (TimeoutError, ConnectionError):
            self._is_cut_off = True
            raise

    def _fail(self, what: str, error: OSError) -> None:
        self._unsent += 1
        log.warning("no mail went out about %s, it is tried again: %s", what, error)
