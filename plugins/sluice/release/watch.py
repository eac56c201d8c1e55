"""The watch over a canary: counts what came since the last look, and says whether it goes on, waits or is withdrawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg2

from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import fetch
from sluice.domain.errors import TransientError
from sluice.release import canary, sequential, traffic
from sluice.release.canary import SHADOW, Rollout
from sluice.release.deployments import FRESH
from sluice.release.sequential import Sample, Tally
from sluice.release.traffic import Seen, Stage, Yardstick

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from sluice.adapters.warehouse import Warehouse

#: What may be held against a challenger; each alarms falsely with its part of the chance that the policy allows.
CHARGES = 3


@dataclass(frozen=True)
class Verdict:
    """What a look says.

    Attributes:
        code: `wait`, `advance`, `promote`, `over` where no canary runs, or `withdraw:` and why: `failures`, `latency`,
            `shift`, `refused`, `runtime`, `champion_changed`, `challenger_changed`, `too_few_requests`.
        message: The same in words, with what it rests on.
    """

    code: str
    message: str

    @property
    def withdraws(self) -> bool:
        """Whether the challenger must go."""
        return self.code.startswith("withdraw:")


def pursue(warehouse: Warehouse, tracking: Tracking, use_case: str, now: datetime) -> Verdict:
    """Look, and do at once what the look says, but for the promotion.

    All that it knows is in the ledgers: whoever was ended in the middle of it goes on where it was.
    """
    try:
        rollout = canary.running(warehouse, use_case)
        if rollout is None:
            return _over(use_case)
        # Of the step that was looked at: another watcher may have gone further meanwhile.
        verdict = _told(warehouse, tracking, rollout, now)
        if verdict.withdraws:
            canary.withdraw(warehouse, tracking, use_case, canary.ACTOR, f"{verdict.code}: {verdict.message}")
            return verdict
        canary.mend(warehouse, tracking, use_case)
        if verdict.code == "advance":
            canary.advance(warehouse, tracking, rollout, verdict.message)
    except (TransientError, psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        return _untold(error)
    return verdict


def look(warehouse: Warehouse, tracking: Tracking, use_case: str, now: datetime) -> Verdict:
    """Count what came since the last look, keep it in `ml.canary_looks`, and say what follows.

    What could not be told, because the database or the registry is away, is never a step further.

    Args:
        warehouse: Holds the ledgers, the predictions and the heartbeats.
        tracking: The registry.
        use_case: Whose canary.
        now: The moment; with a time zone.
    """
    try:
        rollout = canary.running(warehouse, use_case)
        return _told(warehouse, tracking, rollout, now) if rollout else _over(use_case)
    except (TransientError, psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        return _untold(error)


def _told(warehouse: Warehouse, tracking: Tracking, rollout: Rollout, now: datetime) -> Verdict:
    return _moved(tracking, rollout) or _judged(warehouse, rollout, now)


def _over(use_case: str) -> Verdict:
    return Verdict("over", f"no canary of {use_case} runs")


def _untold(error: Exception) -> Verdict:
    return Verdict("wait", f"could not tell: {error}")


def _moved(tracking: Tracking, rollout: Rollout) -> Verdict | None:
    """What follows where an alias is no longer where the canary left it."""
    champion = tracking.aliased(rollout.use_case, "champion")
    if champion and champion.number == rollout.version:
        return Verdict("promote", f"version {rollout.version} is the champion already")
    if champion is None or champion.number != rollout.champion_version:
        now = f"version {champion.number}" if champion else "nothing"
        message = f"{now} is the champion, and version {rollout.version} was tried against {rollout.champion_version}"
        return Verdict("withdraw:champion_changed", message)
    challenger = tracking.aliased(rollout.use_case, "challenger")
    if challenger is None or challenger.number != rollout.version:
        now = f"points to version {challenger.number}" if challenger else "was taken away"
        return Verdict("withdraw:challenger_changed", f"the alias `challenger` {now}")
    return None


def _judged(warehouse: Warehouse, rollout: Rollout, now: datetime) -> Verdict:
    replicas = warehouse.rows(
        warehouse.statement("release/canary_replicas"), {"use_case": rollout.use_case, "fresh": FRESH}
    )
    seen = _count(warehouse, rollout, now)
    return _refused(rollout, replicas) or _charged(rollout, seen) or _onward(rollout, seen, replicas, now)


def _count(warehouse: Warehouse, rollout: Rollout, now: datetime) -> Seen:
    """What was seen up to now, kept for the next look; nothing is counted twice."""
    with warehouse.transaction() as connection:
        # Two watchers take turns.
        fetch(connection, warehouse.statement("release/canary_lock"), {"canary_id": rollout.canary_id})
        looks = fetch(connection, warehouse.statement("release/canary_last_look"), {"canary_id": rollout.canary_id})
        seen = Seen.model_validate_json(looks[0]["seen"]) if looks else Seen(until=rollout.began_at)
        window = {"since": max(seen.until, rollout.step_at), "until": now - traffic.SETTLED}
        if window["until"] <= window["since"]:
            return seen
        yardstick = _yardstick(warehouse, connection, rollout, window["since"])
        champion, challenger = traffic.count(
            warehouse,
            connection,
            shadow=rollout.step == SHADOW,
            yardstick=yardstick,
            use_case=rollout.use_case,
            champion=rollout.champion_version,
            challenger=rollout.version,
            max_slowdown=rollout.policy.max_slowdown,
            **window,
        )
        seen = seen.further(rollout.step, champion, challenger, window["until"])
        values = {"canary_id": rollout.canary_id, "step": rollout.step, "seen": seen.model_dump_json()}
        fetch(connection, warehouse.statement("release/canary_looked"), values)
    return seen


def _yardstick(warehouse: Warehouse, connection: Connection, rollout: Rollout, until: datetime) -> Yardstick:
    """What the challenger is measured by; where slow was not known at the start, it is told from what came since."""
    known, champion = rollout.yardstick, rollout.champion_version
    if known.slow_ms is not None:
        return known
    slow_ms = traffic.slow_ms(warehouse, connection, rollout.use_case, champion, rollout.began_at, until)
    if slow_ms is None:
        return known
    told = known.model_copy(update={"slow_ms": slow_ms})
    values = {"canary_id": rollout.canary_id, "yardstick": told.model_dump_json()}
    fetch(connection, warehouse.statement("release/canary_measure"), values)
    return told


def _refused(rollout: Rollout, replicas: list[dict[str, Any]]) -> Verdict | None:
    """What a process that may not load the challenger says of it."""
    for code, word in (("refused", "refused"), ("runtime", "needs_new_image")):
        for row in replicas:
            if (row["challenger_reason"] or "").startswith(f"{word}: version {rollout.version}:"):
                return Verdict(f"withdraw:{code}", f"{row['host']}/{row['pid']} says {row['challenger_reason']}")
    return None


def _charged(rollout: Rollout, seen: Seen) -> Verdict | None:
    """What is beyond doubt wrong with the challenger."""
    alpha = rollout.policy.false_alarm / CHARGES
    names = f"version {rollout.version}", f"version {rollout.champion_version}"
    for code, kind, does in (("failures", "failures", "fails"), ("latency", "slow", "is slow")):
        tallies = [_tally(rollout, stage, kind) for stage in seen.stages]
        if sequential.suspicion(tallies) >= math.log(1 / alpha):
            events = f"{sum(t.challenger for t in tallies)} times to {sum(t.champion for t in tallies)}"
            requests = f"{_total(seen, 'challenger')} requests to {_total(seen, 'champion')}"
            return Verdict(f"withdraw:{code}", f"{names[0]} {does} more often than {names[1]}: {events}, of {requests}")
    return _shift(rollout, seen, alpha)


def _shift(rollout: Rollout, seen: Seen, alpha: float) -> Verdict | None:
    """Step by step, because the traffic may drift while the shares differ."""
    policy = rollout.policy
    steps = len(policy.steps) + bool(policy.shadow_minutes)
    for stage in seen.stages:
        challenger, champion = (Sample(side.requests, side.ranks) for side in (stage.challenger, stage.champion))
        apart = sequential.distance(challenger, champion, alpha / steps, tuned=policy.min_requests)
        if apart > policy.max_shift:
            told = (
                f"the predictions of version {rollout.version} rank {challenger.mean:.2f} on average and those of "
                f"version {rollout.champion_version} {champion.mean:.2f}: at least {apart:.2f} apart beyond doubt, "
                f"where {policy.max_shift:g} is allowed"
            )
            return Verdict("withdraw:shift", told)
    return None


def _tally(rollout: Rollout, stage: Stage, kind: str) -> Tally:
    # In shadow both have every request: what happened to one alone happened to either with the same chance.
    share = 0.5 if stage.step == SHADOW else canary.share(rollout.policy, stage.step)
    return Tally(share, getattr(stage.challenger, kind), getattr(stage.champion, kind))


def _total(seen: Seen, side: str) -> int:
    return sum(getattr(stage, side).requests + getattr(stage, side).failures for stage in seen.stages)


def _onward(rollout: Rollout, seen: Seen, replicas: list[dict[str, Any]], now: datetime) -> Verdict:
    """The next share, where the challenger has shown enough in this one; else what is missing."""
    missing = _missing(rollout, seen, replicas, now)
    answered = seen.stage(rollout.step).challenger.requests
    done = "in shadow" if rollout.step == SHADOW else f"at {rollout.share:.0%}"
    if not missing and rollout.step + 1 == len(rollout.policy.steps):
        whole = sum(stage.challenger.requests for stage in seen.stages)
        return Verdict("promote", f"{whole} requests, {answered} of them {done}, and nothing speaks against it")
    if not missing:
        return Verdict("advance", f"{answered} requests {done}, and nothing speaks against it")
    if now - rollout.began_at > timedelta(hours=rollout.policy.max_hours):
        told = f"after {rollout.policy.max_hours:g} hours too little is known of version {rollout.version}: {missing}"
        return Verdict("withdraw:too_few_requests", told)
    return Verdict("wait", f"{done}: {missing}")


def _missing(rollout: Rollout, seen: Seen, replicas: list[dict[str, Any]], now: datetime) -> str:
    policy = rollout.policy
    answered = seen.stage(rollout.step).challenger.requests
    minutes = policy.shadow_minutes if rollout.step == SHADOW else policy.step_minutes
    wanted = (rollout.version, rollout.share)
    behind = [row for row in replicas if (row["challenger_version"], row["challenger_share"]) != wanted]
    left = timedelta(minutes=minutes) - (now - rollout.step_at)
    missing = []
    if left > timedelta():
        missing.append(f"{left.total_seconds():.0f} s are left")
    if answered < policy.min_requests:
        missing.append(f"{answered} of {policy.min_requests} requests were answered")
    if rollout.yardstick.slow_ms is None:
        missing.append(f"the champion answered fewer than {traffic.FEWEST} requests, which do not tell what slow is")
    if not replicas:
        missing.append("no process has a fresh heartbeat")
    if behind:
        missing.append(
            "not everywhere yet: "
            + ", ".join(f"{row['host']}/{row['pid']} ({row['challenger_reason'] or 'no challenger'})" for row in behind)
        )
    return "; ".join(missing)
