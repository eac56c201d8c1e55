"""Sights: what a look saw, and what a look is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice.domain.alert import Alert


class CannotTell(Exception):
    """A look got no answer to its question, so that what it asks about is neither well nor bad."""


@dataclass(frozen=True)
class Seen:
    """An answer.

    Attributes:
        alerts: One for each thing that is bad; none where all is well.
        note: What to say about it.
    """

    alerts: tuple[Alert, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Unseen:
    """No answer.

    Attributes:
        note: Why.
        off: Whether the question is not even asked, for want of an address or a login.
    """

    note: str
    off: bool = False


Sight = Seen | Unseen


@dataclass(frozen=True)
class Look:
    """One question that is asked again and again.

    Attributes:
        name: What it is about, where people read it.
        causes: The cause of its alert; where it has many, what they begin with, up to a colon.
        ask: Asks. May raise CannotTell.
        after: Names of the looks whose badness would explain this one's: until they are well, it says nothing.
        patience: Seconds for which it must have been bad before anybody is told; the watcher's own where absent.
        starts: Whether it is about a program, which may still be starting when the watcher does.
        others: Causes that begin so and are other looks'.
        every: Seconds between two questions, where asking in each round would be too dear.
    """

    name: str
    causes: str
    ask: Callable[[], Sight]
    after: tuple[str, ...] = ()
    patience: float | None = None
    starts: bool = True
    others: frozenset[str] = frozenset()
    every: float = 0

    def owns(self, cause: str) -> bool:
        """Whether a cause is one that this look tells of."""
        if self.causes.endswith(":"):
            return cause.startswith(self.causes) and cause not in self.others
        return cause == self.causes


def off(name: str, causes: str, note: str) -> Look:
    """A look that cannot be asked here."""
    return Look(name, causes, lambda: Unseen(note, off=True))
