"""The watch: round after round, until it is told to stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

import psycopg2

from sluice.domain.errors import TransientError
from watcher.confirmation import Confirmation
from watcher.journal import Journal
from watcher.rounds import Rounds
from watcher.sight import Look, Seen, Sight

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """The last round, as whoever asks sees it."""

    sights: Mapping[str, Sight] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    open: tuple[str, ...] = ()
    unsaid: int = 0
    at: datetime | None = None
    ended: float = float("-inf")
    """By the clock that never goes back."""


class Watch:
    """Asks, judges, tells and shows that it lives.

    Args:
        looks: What is asked; one named `warehouse` says whether the ledger can be reached.
        confirmation: Judges.
        journal: Tells.
        chores: What is done in each round in which the warehouse answers, each with a word on the watcher itself.
        interval: Seconds between the beginnings of two rounds.
    """

    def __init__(
        self,
        looks: Sequence[Look],
        confirmation: Confirmation,
        journal: Journal,
        chores: Sequence[Callable[[str], object]],
        interval: float,
    ) -> None:
        self.looks, self.interval = looks, interval
        self.last = Round()
        self.chores = chores
        self._confirmation, self._journal = confirmation, journal
        self._rounds = Rounds(looks)
        self._is_first = True

    def run(self, stop: Event) -> None:
        """Go round until told to stop."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.round()
            # Broad, because nobody else would look. What lasts shows: no sign of life comes of a round that broke.
            except Exception:
                log.exception("a round broke")
            stop.wait(max(0.0, self.interval - (time.monotonic() - began)))
        self._rounds.close()

    def round(self) -> Round:
        """Go round once."""
        sights = self._rounds.ask()
        warehouse = sights["warehouse"]
        reachable = isinstance(warehouse, Seen) and not warehouse.alerts
        if reachable:
            self._with_warehouse(self._take_over)
        now = datetime.now(UTC)
        verdict = self._confirmation.judge(sights, self._journal.open(), time.monotonic())
        self._journal.note(verdict.bad, verdict.healed, now)
        self._journal.settle(reachable)
        known = {**self.last.sights, **sights}
        self.last = Round(
            sights={look.name: known[look.name] for look in self.looks},
            silent=verdict.silent | (self.last.silent - sights.keys()),
            open=self._journal.open(),
            unsaid=self._journal.unsaid(),
            at=now,
            ended=time.monotonic(),
        )
        if reachable:
            self._with_warehouse(self._do_chores)
        return self.last

    def is_fresh(self) -> bool:
        """Whether the last round ended lately."""
        return time.monotonic() - self.last.ended < max(60.0, 4 * self.interval)

    def _take_over(self) -> None:
        if self._is_first:
            self._journal.forget_others(self.looks)
            self._journal.adopt(self.looks)
            self._is_first = False
        else:
            self._journal.adopt(self.looks, ["import_error"])

    def _do_chores(self) -> None:
        word = f"{len(self.last.open)} open" if self.last.open else "all is well"
        if self.last.unsaid:
            word += f", {self.last.unsaid} mails cannot be sent"
        for chore in self.chores:
            chore(word)

    @staticmethod
    def _with_warehouse(action: Callable[[], None]) -> None:
        try:
            action()
        except (TransientError, psycopg2.Error) as error:
            log.warning("the warehouse did not take it: %s", " ".join(str(error).split()))
