"""Sides: which release answers a request while two do, and what happens when the challenger cannot."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import NamedTuple

from tabular.answers.desk import Call, Desk
from tabular.problem import ProblemError
from tabular.releases.standing import Challenger, Release


class Reply(NamedTuple):
    """An answer's JSON text, and the version that gave it."""

    content: bytes
    version: int


def place(use_case: str, version: int, key: str) -> float:
    """Where a key stands on the line from 0 to 1, the end excluded; below its share a challenger answers.

    The same for every process and at every moment, so a key keeps its side while the share stays, and none goes back
    to the champion while it grows. Another version shuffles the keys anew.
    """
    digest = sha256(f"{use_case}\n{version}\n{key}".encode()).digest()
    # As many bits as a double holds, or the largest would be rounded up to 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def answer(desk: Desk, champion: Release, challenger: Challenger | None, call: Call) -> Reply:
    """Answer a request with the release whose side it is on; what the challenger cannot answer, the champion does.

    Args:
        desk: Where answers are made.
        champion: Answers for whoever has no other side.
        challenger: What is tried beside it.
        call: The request; one side answers all of its instances.

    Raises:
        ProblemError: The request breaks the contract, or the champion has no prediction either.
    """
    if challenger is None or place(desk.use_case, challenger.release.version, call.key) >= challenger.share:
        return _by_champion(desk, champion, call, call.started)
    release = challenger.release
    asked = time.perf_counter()
    try:
        content = desk.answer(release, call, call.started, "challenger")
    # Whatever it is, the caller does not see it.
    except Exception as error:
        return _instead(desk, champion, release, call, error, time.perf_counter() - asked)
    return Reply(content, release.version)


def _instead(desk: Desk, champion: Release, challenger: Release, call: Call, failed: Exception, lost: float) -> Reply:
    """Let the champion answer after a challenger failed; only what both refuse is the caller's fault."""
    try:
        # As if the challenger had not been asked: the log compares the two.
        reply = _by_champion(desk, champion, call, call.started + lost)
    except Exception as error:
        if not (_refuses(failed) and _refuses(error)):
            _blame(desk, challenger, call, failed)
        raise
    _blame(desk, challenger, call, failed)
    return reply


def _blame(desk: Desk, challenger: Release, call: Call, failed: Exception) -> None:
    desk.fail(challenger, "challenger", call.request_id, failed)
    desk.metrics.failed_over(challenger.version)


def _by_champion(desk: Desk, champion: Release, call: Call, started: float) -> Reply:
    try:
        return Reply(desk.answer(champion, call, started), champion.version)
    except Exception as error:
        if not _refuses(error):
            desk.fail(champion, "champion", call.request_id, error)
        raise


def _refuses(error: Exception) -> bool:
    """Whether the request is at fault, in the eyes of the release that was asked."""
    return isinstance(error, ProblemError) and error.kind != "no-prediction"
