"""What serves, or served at a moment, in words; and the moment in the words of whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from local.errors import RunError, StackError
from sluice.adapters.warehouse import Warehouse
from sluice.release import ledger
from sluice.release.ledger import Move, Served

#: Characters of a reason, as the form in Airflow demands them.
LEAST = 3
ACTIONS = {"promote": "promoted", "rollback": "rolled back to", "canary": "tried", "withdraw": "withdrawn"}


def moment(text: str, now: datetime) -> datetime:
    """The moment that a person means; now where they name none.

    Args:
        text: A date, with or without a time; in UTC where it names no other zone.
        now: By the clock of the ledger.

    Raises:
        StackError: It is no moment, or has not come yet.
    """
    if not text.strip():
        return now
    try:
        meant = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise StackError(f"{text!r} is no moment", action="write it as AT='2026-11-20 12:00', in UTC") from error
    meant = meant if meant.tzinfo else meant.replace(tzinfo=UTC)
    if meant > now:
        raise StackError(f"{_at(meant)} has not come yet", action=f"ask for a moment before {_at(now)}")
    return meant


def served(warehouse: Warehouse, use_case: str, at: datetime) -> Served:
    """What served at a moment.

    Raises:
        RunError: Nothing did.
    """
    found = ledger.served_at(warehouse, use_case, at)
    if found is None:
        began = ledger.began(warehouse, use_case)
        action = f"ask for a moment from {_at(began)} on" if began else "promote a version first"
        raise RunError(f"nothing served {use_case} at {_at(at)}", "ml.deployments", action)
    return found


def way_back(use_case: str, to: str, reason: str) -> dict[str, object]:
    """The fields of the rollback's form.

    Args:
        use_case: Whose.
        to: A version; none where empty.
        reason: Why.

    Raises:
        StackError: There is no reason, or the version is none.
    """
    example = f"make rollback USE_CASE={use_case} TO=3 REASON='wrong prices since noon'"
    if len(reason.strip()) < LEAST:
        raise StackError("a rollback needs a reason, which the ledger keeps", action=example)
    if to and not to.isdecimal():
        raise StackError(f"{to!r} is no version", action=f"write its number, or leave TO out: {example}")
    return {"reason": reason.strip()} | ({"to": int(to)} if to else {})


def sentence(found: Served, now: bool) -> str:
    """What served, in one line."""
    verb = "serves" if now else "served"
    until = f" until {_at(found.until)}" if found.until and not now else ""
    return f"version {found.version} of {found.use_case} {verb} since {_at(found.since)}{until}"


def details(found: Served) -> Iterator[tuple[str, str]]:
    """How it came to serve and what it is: name and words of each."""
    yield ACTIONS[found.action].removesuffix(" to"), f"by {found.actor}: {found.reason}"
    if found.decision_id is not None:
        yield "decision", f"{found.decision_id}: {found.decision}"
    if found.bento is not None:
        yield "release", f"{found.bento}, bundle {found.bundle_sha256}"
        yield "trained", f"run {found.run_id} on snapshot {found.snapshot_id}"
    if beside := found.challenger:
        share = f"{beside.share:.0%} of the requests" if beside.share else "nobody, in shadow,"
        yield "challenger", f"version {beside.version} answers {share} since {_at(beside.since)}"


def history(moves: tuple[Move, ...]) -> Iterator[tuple[str, str]]:
    """Moves: when, and what in words."""
    for move in moves:
        share = (f" with {move.share:.0%}" if move.share else " in shadow") if move.action == "canary" else ""
        yield _at(move.deployed_at), f"{ACTIONS[move.action]} {move.to_version}{share} by {move.actor}: {move.reason}"


def _at(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
