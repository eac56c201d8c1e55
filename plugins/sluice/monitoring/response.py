"""Response: what follows a check that was a breach, by the spec's policy, and what a person is advised to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sluice.domain.monitoring import Monitoring, Response

#: The kinds of check, in the order in which they are responded to: what is worst first.
Breach = Literal["performance", "drift", "quality"]
BREACHES: tuple[Breach, ...] = ("performance", "drift", "quality")

Verdict = Literal["stable", "drifted", "degraded", "unknown"]

#: Verdicts that are a breach; `unknown` is none, and none of them is stable.
BAD: frozenset[str] = frozenset({"drifted", "degraded"})

#: The verdict by which a breach is over.
STABLE = "stable"

#: What a cool-down follows, and holds back.
HEAVY: frozenset[str] = frozenset({"approval", "retrain"})

TITLES: Mapping[Breach, str] = {"performance": "performance", "drift": "drift", "quality": "data quality"}


@dataclass(frozen=True)
class Answer:
    """What follows a check.

    Attributes:
        response: What is done.
        reason: Why that and nothing else, in a sentence.
    """

    response: Response
    reason: str


def respond(
    policy: Monitoring, breach: Breach, verdicts: Sequence[str], last_response_at: datetime | None, now: datetime
) -> Answer:
    """Decide what follows the newest check of one kind.

    Args:
        policy: Says how many breaches it takes, and what they lead to.
        breach: The kind of check.
        verdicts: Of the checks of that kind, newest first, this one included.
        last_response_at: When a person was last asked about a training, or one was last started, whatever for.
        now: The moment the check is about; aware.
    """
    wanted: Response = getattr(policy, breach).response
    seen = tuple(verdicts[: policy.windows])
    if not seen or seen[0] not in BAD:
        return Answer("nothing", f"The {TITLES[breach]} check is {seen[0] if seen else 'missing'}, which is no breach.")
    bad = sum(verdict in BAD for verdict in seen)
    counted = (
        f"{bad} of the last {policy.windows} {TITLES[breach]} checks {'was a breach' if bad == 1 else 'were breaches'}"
    )
    if bad < policy.breaches:
        return Answer("nothing", f"{counted}, and it takes {policy.breaches}.")
    said = f"{counted}, and it takes {policy.breaches}"
    if wanted in HEAVY and last_response_at is not None:
        until = last_response_at + timedelta(days=policy.cool_down_days)
        if now < until:
            why = (
                f"{said}; the policy says {wanted}, but the last training was asked for on {_day(last_response_at)} "
                f"and the cool-down of {policy.cool_down_days:g} days lasts until {_day(until)}."
            )
            return Answer("alert", why)
    return Answer(wanted, f"{said}; the policy says {wanted}.")


def recommend(kind: Breach, verdicts: Mapping[Breach, str]) -> str:
    """Advise in plain words whether to train again, and why.

    Drift is no reason by itself: where performance holds, realised or estimated, a new model would win nothing. Bad
    data is a reason against: a model learns what is broken, too.

    Args:
        kind: The check that the advice stands beside.
        verdicts: The newest verdict of each kind of check that there is, that of `kind` included.
    """
    verdict = verdicts.get(kind, "unknown")
    dropped = verdicts.get("performance", "unknown")
    broken = verdicts.get("quality") in BAD
    if kind == "quality":
        return _on_quality(verdict)
    if verdict == "unknown":
        return f"No ground to retrain: this check could not tell. {_meanwhile(kind, dropped)}"
    if verdict not in BAD:
        if kind == "drift" and dropped in BAD:
            return (
                "Retrain: the rows look like those of the training, and performance has dropped all the same, so what "
                f"the model learned of them may no longer hold.{_mend_first(broken)}"
            )
        if kind == "drift":
            return "Do not retrain: the rows look like those of the training."
        return "Do not retrain: the release does as well as when it was promoted."
    if kind == "performance":
        moved = verdicts.get("drift") in BAD
        why = "and the rows have moved away from those of the training" if moved else "though no drift was seen"
        return f"Retrain: performance has dropped, {why}.{_mend_first(broken)}"
    if dropped in BAD:
        return f"Retrain: the rows have moved, and performance has dropped with them.{_mend_first(broken)}"
    if dropped == "stable":
        return (
            "Do not retrain yet: the rows have moved, but performance has not dropped, neither by labels nor by the "
            "estimate without them. Find out what moved, and why."
        )
    return (
        "Look before you retrain: the rows have moved, and whether performance suffers nobody can tell yet. Retrain if "
        f"the change is here to stay, or wait for labels.{_mend_first(broken)}"
    )


def _on_quality(verdict: str) -> str:
    if verdict in BAD:
        return (
            "Do not retrain on this: mend what sends the rows first. A model that is trained on broken rows learns "
            "what is broken."
        )
    if verdict == "unknown":
        return "No ground to retrain: there is too little to judge the rows' quality by."
    return "The quality of the rows gives no reason to retrain, and none against it."


def _meanwhile(kind: Breach, dropped: str) -> str:
    if kind == "drift" and dropped in BAD:
        return "Performance has dropped, though: see its report."
    return "Wait for more rows." if kind == "drift" else "Wait for labels."


def _mend_first(broken: bool) -> str:
    return " But mend the data first: its quality has suffered, too, and may be the cause." if broken else ""


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
