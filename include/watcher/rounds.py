"""Rounds: every look is asked, all at once, and none waits for one that hangs."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from watcher.sight import CannotTell, Look, Seen, Sight, Unseen

ANSWER_SECONDS = 20.0
"""After which a round goes on without an answer."""

log = logging.getLogger(__name__)


class Rounds:
    """Asks the looks, round after round.

    Args:
        looks: What is asked.
    """

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = looks
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(looks)), thread_name_prefix="look")
        self._asked: dict[str, Future[Sight]] = {}
        self._turns: dict[str, float] = {}
        self._states: dict[str, str] = {}

    def ask(self) -> Mapping[str, Sight]:
        """What each look sees now whose turn it is, by its name."""
        now = time.monotonic()
        for look in self._looks:
            # One that still hangs is not asked a second time.
            if look.name not in self._asked and now >= self._turns.get(look.name, now):
                self._asked[look.name] = self._pool.submit(_sight, look)
                self._turns[look.name] = now + look.every
        done, _ = wait(self._asked.values(), timeout=ANSWER_SECONDS)
        sights: dict[str, Sight] = {}
        for look in self._looks:
            if look.name not in self._asked:
                continue
            future = self._asked[look.name]
            if future in done:
                sights[look.name] = future.result()
                del self._asked[look.name]
            else:
                sights[look.name] = Unseen(f"no answer within {ANSWER_SECONDS:.0f} s")
            self._say(look.name, sights[look.name])
        return sights

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _say(self, name: str, sight: Sight) -> None:
        """Log what has changed: one line for a change, none for a round."""
        state = described(sight)
        before = self._states.get(name)
        self._states[name] = state
        if state != before and (before is not None or state != "well"):
            log.info("%s: %s%s", name, state, f" ({sight.note})" if sight.note else "")


def described(sight: Sight) -> str:
    """A sight in a word."""
    if isinstance(sight, Seen):
        return "bad" if sight.alerts else "well"
    return "off" if sight.off else "cannot tell"


def _sight(look: Look) -> Sight:
    began = time.monotonic()
    try:
        return look.ask()
    except CannotTell as error:
        return Unseen(str(error))
    # Broad, because a look that breaks must not end the others.
    except Exception as error:
        log.exception("%s broke after %.1f s", look.name, time.monotonic() - began)
        return Unseen(f"it broke: {type(error).__name__}")
