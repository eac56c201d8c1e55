"""Canaries: a release takes over the traffic share by share, or is withdrawn. Every move stands in the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import SHARE_TAG, Tracking
from sluice.adapters.warehouse import fetch
from sluice.domain.errors import StateError
from sluice.domain.policy import Canary
from sluice.release import deployments, ledger, traffic
from sluice.release.deployments import Order
from sluice.release.traffic import Yardstick

if TYPE_CHECKING:
    from sluice.adapters.warehouse import Warehouse

#: Who is named in the ledger where nobody but the canary itself decided.
ACTOR = "canary"

#: The step of a challenger that answers aside.
SHADOW = -1


@dataclass(frozen=True)
class Rollout:
    """A canary that was begun.

    Attributes:
        canary_id: Its row in `ml.canaries`.
        use_case: Whose.
        version: The challenger.
        champion_version: What it is compared with.
        decision_id: The decision by which it may serve.
        policy: How it takes over, as the spec said when it began.
        yardstick: What it is measured by.
        step: Index into the policy's shares; -1 is shadow.
        state: Whether it runs, or how it ended.
        reason: Why it ended; None while it runs.
        began_at: When.
        step_at: When its share became what it is.
    """

    canary_id: int
    use_case: str
    version: int
    champion_version: int
    decision_id: int
    policy: Canary
    yardstick: Yardstick
    step: int
    state: Literal["running", "promoted", "withdrawn"]
    reason: str | None
    began_at: datetime
    step_at: datetime

    @property
    def share(self) -> float:
        """Of the traffic, that the challenger answers; 0 in shadow."""
        return share(self.policy, self.step)


def share(policy: Canary, step: int) -> float:
    """The share of a step; 0 in shadow."""
    return 0.0 if step == SHADOW else policy.steps[step]


def newest(warehouse: Warehouse, use_case: str) -> Rollout | None:
    """The canary that runs, else the last one; None where there was none."""
    for row in warehouse.rows(warehouse.statement("release/canary_newest"), {"use_case": use_case}):
        policy, yardstick = row.pop("policy"), row.pop("yardstick")
        return Rollout(
            policy=Canary.model_validate_json(policy), yardstick=Yardstick.model_validate_json(yardstick), **row
        )
    return None


def running(warehouse: Warehouse, use_case: str) -> Rollout | None:
    """The canary that runs; None where there is none."""
    last = newest(warehouse, use_case)
    return last if last and last.state == "running" else None


def begin(warehouse: Warehouse, tracking: Tracking, order: Order, policy: Canary) -> int:
    """Give a published release its first share beside the champion, and return the canary's number.

    The ledger comes first, then the registry's tag and alias, which serving follows: what takes traffic is known of.
    After a crash in between, beginning again finishes it; when it is done, beginning again changes nothing.

    Args:
        warehouse: Holds the ledgers.
        tracking: The registry.
        order: As for a deployment; needs its decision and the champion.
        policy: How the release takes over.

    Raises:
        StateError: Another canary of the use case runs, the champion is no longer the one that the order names, the
            release was removed, or this decision's canary was withdrawn.
    """
    release = order.release
    with _in_turn(warehouse, release.use_case):
        if (known := _begun(warehouse, order)) and known.state == "promoted":
            return known.canary_id
        number = known.canary_id if known else _enter(warehouse, tracking, order, policy)
        given = known.share if known else share(policy, _first(policy))
        tracking.tag(release.use_case, release.version, SHARE_TAG, str(given))
        tracking.point(release.use_case, "challenger", release.version)
    return number


def _first(policy: Canary) -> int:
    return SHADOW if policy.shadow_minutes else 0


def _begun(warehouse: Warehouse, order: Order) -> Rollout | None:
    """The canary of this order, if it was begun before."""
    use_case = order.release.use_case
    last = newest(warehouse, use_case)
    if last is None:
        return None
    if last.decision_id != order.decision_id and last.state == "running":
        raise StateError(
            f"the canary of version {last.version} of {use_case} runs at {last.share:.0%} since "
            f"{last.began_at:%Y-%m-%d %H:%M}, so that of version {order.release.version} cannot begin",
            f"ml.canaries {last.canary_id}",
            f"wait until it ends, or end it: roll back to version {last.champion_version} "
            f"({use_case}_rollback), then promote again",
        )
    if not warehouse.rows(warehouse.statement("release/canary_of_decision"), {"decision_id": order.decision_id}):
        return None
    if last.decision_id != order.decision_id or last.state == "withdrawn":
        raise StateError(
            f"the canary of decision {order.decision_id} has ended"
            + (f": {last.reason}" if last.decision_id == order.decision_id else ""),
            "ml.canaries",
            "promote again, so that there is a new decision",
        )
    return last


def _enter(warehouse: Warehouse, tracking: Tracking, order: Order, policy: Canary) -> int:
    release = order.release
    champion = tracking.aliased(release.use_case, "champion")
    now = champion.number if champion else None
    if now is None or now != order.from_version:
        raise StateError(
            f"version {now} is champion of {release.use_case}, and version {release.version} was judged against "
            f"version {order.from_version}",
            "the champion's alias",
            "promote again, so that it is judged against the champion of today",
        )
    yardstick = traffic.yardstick(warehouse, tracking, release.use_case, now, datetime.now(UTC))
    step = _first(policy)
    with warehouse.transaction() as connection:
        deployments.refuse_removed(warehouse, connection, release)
        [row] = fetch(
            connection,
            warehouse.statement("release/canary_begin"),
            {
                "use_case": release.use_case,
                "version": release.version,
                "champion_version": now,
                "decision_id": order.decision_id,
                "policy": policy.model_dump_json(),
                "yardstick": yardstick.model_dump_json(),
                "step": step,
                "share": share(policy, step),
                "actor": order.actor,
                "reason": order.reason,
            },
        )
    return int(row["canary_id"])


def advance(warehouse: Warehouse, tracking: Tracking, rollout: Rollout, reason: str) -> None:
    """Give a challenger its next share; where its step is no longer the one that is named, nothing changes."""
    following = share(rollout.policy, rollout.step + 1)
    values = {
        "canary_id": rollout.canary_id,
        "step": rollout.step,
        "onward": following,
        "who": ACTOR,
        "why": reason,
    }
    with _in_turn(warehouse, rollout.use_case):
        # The ledger first: until serving follows, the challenger answers less than it says, which accuses nobody.
        if warehouse.rows(warehouse.statement("release/canary_advance"), values):
            tracking.tag(rollout.use_case, rollout.version, SHARE_TAG, str(following))


def mend(warehouse: Warehouse, tracking: Tracking, use_case: str) -> None:
    """Set the share in the registry again where a crash left it at the last step's."""
    with _in_turn(warehouse, use_case):
        rollout, challenger = running(warehouse, use_case), tracking.aliased(use_case, "challenger")
        if rollout is None or challenger is None or challenger.number != rollout.version:
            return
        if challenger.tags.get(SHARE_TAG) != str(rollout.share):
            tracking.tag(use_case, rollout.version, SHARE_TAG, str(rollout.share))


def withdraw(warehouse: Warehouse, tracking: Tracking, use_case: str, actor: str, reason: str) -> bool:
    """Let the champion answer everything again, and return whether a canary ran.

    The alias goes first, whether or not a ledger knows of it: whoever withdraws wants nothing beside the champion.

    Args:
        warehouse: Holds the ledgers.
        tracking: The registry.
        use_case: Whose challenger.
        actor: Who wants it.
        reason: Why; kept in the ledger.
    """
    values = {"use_case": use_case, "who": actor, "why": reason}
    with _in_turn(warehouse, use_case):
        tracking.unpoint(use_case, "challenger")
        return bool(warehouse.rows(warehouse.statement("release/canary_withdraw"), values))


def withdrawn_by(warehouse: Warehouse, rollout: Rollout) -> str | None:
    """Who withdrew a canary; None where nobody did."""
    rows = warehouse.rows(warehouse.statement("release/canary_withdrawn_by"), {"decision_id": rollout.decision_id})
    return str(rows[0]["actor"]) if rows else None


def promote(warehouse: Warehouse, tracking: Tracking, store: ObjectStore, rollout: Rollout, reason: str) -> int:
    """Make the challenger the champion, and return the ledger's row; doing it again finishes what a crash left.

    Raises:
        StateError: It cannot become the champion; then it is withdrawn.
    """
    use_case = rollout.use_case
    order = Order(
        release=next(
            each.release for each in ledger.published(warehouse, use_case) if each.release.version == rollout.version
        ),
        from_version=rollout.champion_version,
        decision_id=rollout.decision_id,
        actor=ACTOR,
        reason=reason,
    )
    try:
        number = deployments.deploy(warehouse, tracking, store, order)
    except StateError as error:
        withdraw(warehouse, tracking, use_case, ACTOR, f"withdraw:champion_changed: {error.what}")
        raise
    with _in_turn(warehouse, use_case):
        tracking.unpoint(use_case, "challenger")
        values = {"canary_id": rollout.canary_id, "reason": reason}
        warehouse.execute(warehouse.statement("release/canary_promoted"), values)
    return number


@contextmanager
def _in_turn(warehouse: Warehouse, use_case: str) -> Iterator[None]:
    """One move of a use case at a time, deployments among them; what is entered meanwhile is kept at once."""
    with warehouse.transaction() as connection:
        fetch(connection, warehouse.statement("release/lock"), {"use_case": use_case})
        yield
