"""Confirmation: which of the things that look bad are bad enough to be told, and which have healed.

Nothing is told at first sight: a restart takes seconds, and whoever restarts something need not be told. Nothing is
told that something else explains: while the warehouse is away, so is much that needs it. Not to know is neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sluice.domain.alert import Alert
from watcher.sight import Look, Seen, Sight, Unseen

LEAST_LOOKS = 2
"""One look is none: so many in a row make bad or healed."""


@dataclass
class Suspicion:
    """What looks bad, and is not told yet."""

    since: float
    looks: int = 0


@dataclass(frozen=True)
class Confirmed:
    """Something that is bad beyond doubt.

    Attributes:
        alert: What.
        age: Seconds since it was first seen.
    """

    alert: Alert
    age: float


@dataclass(frozen=True)
class Verdict:
    """What a round has changed.

    Attributes:
        bad: What people must hear of.
        healed: Causes that are gone.
        silent: Names of the looks that count for nothing, because another is not well.
    """

    bad: tuple[Confirmed, ...] = ()
    healed: tuple[str, ...] = ()
    silent: frozenset[str] = frozenset()


@dataclass
class Confirmation:
    """Judges rounds.

    Attributes:
        looks: All of them; those that explain others before these.
        patience: Seconds for which something must have been bad, where its look does not say otherwise.
        start: Seconds in which a program that was never seen well may still be starting.
        began: When the first round was, by the clock of the rounds.
    """

    looks: Sequence[Look]
    patience: float
    start: float
    began: float
    _suspicions: dict[str, Suspicion] = field(default_factory=dict)
    _hopes: dict[str, int] = field(default_factory=dict)
    _well: set[str] = field(default_factory=set)
    _settles: dict[str, float] = field(default_factory=dict)

    def judge(self, sights: Mapping[str, Sight], told: Iterable[str], now: float) -> Verdict:
        """Judge a round.

        Args:
            sights: What each look saw that was asked in this round, by its name.
            told: Causes that people know of.
            now: Seconds, by a clock that never goes back.
        """
        bad: list[Confirmed] = []
        healed: list[str] = []
        known = set(told)
        unwell: set[str] = set()
        silent: set[str] = set()
        for look in self.looks:
            if look.name not in sights:
                continue
            mine = {cause for cause in known if look.owns(cause)}
            sight = sights[look.name]
            explained = any(name in unwell or now < self._settles.get(name, 0) for name in look.after)
            if explained:
                silent.add(look.name)
            if explained or not isinstance(sight, Seen):
                if not isinstance(sight, Unseen) or not sight.off:
                    unwell.add(look.name)
                self._forget(look)
                continue
            causes = {alert.cause for alert in sight.alerts}
            if causes:
                unwell.add(look.name)
            else:
                self._well.add(look.name)
            self._drop_suspicions(look, causes)
            bad += [
                Confirmed(alert, now - self._suspicions[alert.cause].since)
                for alert in sight.alerts
                if self._suspect(alert.cause, now) and alert.cause not in mine and self._is_sure(look, alert.cause, now)
            ]
            cured = [cause for cause in sorted(mine) if self._hope(cause, cause in causes)]
            if cured:
                # What leaned on it needs a while, too.
                self._settles[look.name] = now + self.patience
            healed += cured
        return Verdict(tuple(bad), tuple(healed), frozenset(silent))

    def _suspect(self, cause: str, now: float) -> bool:
        suspicion = self._suspicions.setdefault(cause, Suspicion(now))
        suspicion.looks += 1
        return suspicion.looks >= LEAST_LOOKS

    def _is_sure(self, look: Look, cause: str, now: float) -> bool:
        patience = self.patience if look.patience is None else look.patience
        starting = look.starts and look.name not in self._well and now - self.began < self.start
        return not starting and now - self._suspicions[cause].since >= patience

    def _hope(self, cause: str, is_bad: bool) -> bool:
        self._hopes[cause] = 0 if is_bad else self._hopes.get(cause, 0) + 1
        if self._hopes[cause] < LEAST_LOOKS:
            return False
        del self._hopes[cause]
        return True

    def _drop_suspicions(self, look: Look, bad: set[str]) -> None:
        for cause in [cause for cause in self._suspicions if look.owns(cause) and cause not in bad]:
            del self._suspicions[cause]

    def _forget(self, look: Look) -> None:
        self._drop_suspicions(look, set())
        for cause in [cause for cause in self._hopes if look.owns(cause)]:
            del self._hopes[cause]
