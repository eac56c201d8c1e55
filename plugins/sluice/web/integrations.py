"""Integrations: what the platform is connected to, and how each connection is just now.

Looking changes nothing: nothing is written, nothing is sent, nobody signs in who need not.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Literal

from sluice.web.facts import Tone

State = Literal["ok", "bad", "off", "could not tell"]

#: What has not answered by then is not waited for.
PATIENCE = 5.0

_TONES: dict[State, Tone] = {"ok": "good", "bad": "bad", "off": "plain", "could not tell": "unsure"}
_CREDENTIALS = re.compile(r"(?<=//)\S*@|(?<=password=)\S+")

#: The last look at each, by name and place.
_looks: dict[tuple[str, str], Thread] = {}


@dataclass(frozen=True)
class Sight:
    """What was seen of an integration.

    Attributes:
        state: How it is.
        message: What was looked at, and what was found.
        advice: What to do, where something is to be done.
    """

    state: State
    message: str
    advice: str = ""


@dataclass(frozen=True)
class Probe:
    """A way to look at an integration.

    Attributes:
        name: What it is called.
        place: Where it is, without any secret; empty where that is not for the reader.
        setting: The name of the setting that says so.
        look: Looks. May raise anything, and may take long.
    """

    name: str
    place: str
    setting: str
    look: Callable[[], Sight]


@dataclass(frozen=True)
class Integration:
    """An integration, and how it is."""

    name: str
    place: str
    setting: str
    sight: Sight
    seconds: float

    @property
    def tone(self) -> Tone:
        """What its state comes to."""
        return _TONES[self.sight.state]


def look(probes: Sequence[Probe], patience: float = PATIENCE) -> tuple[Integration, ...]:
    """Look at integrations side by side, in the order they were given.

    Args:
        probes: How to look; those of a name and place are the same.
        patience: Seconds after which what has not answered could not be told of.
    """
    seen: dict[int, tuple[Sight, float]] = {}
    begin = time.monotonic()

    def run(number: int, probe: Probe) -> None:
        sight = _look(probe)
        seen[number] = (sight, time.monotonic() - begin)

    threads = [_start(probe, run, number) for number, probe in enumerate(probes)]
    for thread in threads:
        if thread is not None:
            thread.join(max(0.0, begin + patience - time.monotonic()))
    silent = Sight("could not tell", f"It did not answer within {patience:g} s.", "look at its own log, then reload")
    return tuple(
        Integration(probe.name, probe.place, probe.setting, *seen.get(number, (silent, patience)))
        for number, probe in enumerate(probes)
    )


def bare(text: str) -> str:
    """A text in which no address has a user or a password."""
    return _CREDENTIALS.sub("", text)


def _start(probe: Probe, run: Callable[[int, Probe], None], number: int) -> Thread | None:
    """Begin to look, unless an earlier look of the same has not come back; another would hang beside it."""
    key = (probe.name, probe.place)
    earlier = _looks.get(key)
    if earlier is not None and earlier.is_alive():
        return None
    # A daemon: the web server can stop while something hangs.
    thread = Thread(target=run, args=(number, probe), name=f"look at {probe.name}", daemon=True)
    _looks[key] = thread
    thread.start()
    return thread


def _look(probe: Probe) -> Sight:
    try:
        return probe.look()
    except Exception as error:
        # Whatever it is, it is what there is to say about this integration.
        return Sight("bad", bare(f"{type(error).__name__}: {error}".strip()), "correct the setting, or start it")
