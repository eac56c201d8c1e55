"""Behaviour: what a model must do when one input of a row changes and all else stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.adapters.bundles import Bundle, score
from sluice.adapters.groups import Mask
from sluice.adapters.intervals import beside, wilson
from sluice.adapters.metrics import Scores, Vector
from sluice.domain.columns import Column
from sluice.domain.evidence import Check, bounded
from sluice.domain.figures import plain
from sluice.domain.policy import Behaviour, Direction, Invariance
from sluice.domain.use_case import UseCase
from sluice.gate.answers import usable

if TYPE_CHECKING:
    import pandas as pd

#: Most held-out rows that pairs are made of.
MOST_PAIRS = 2_000
#: Fewer pairs are too few to tell.
FEWEST_PAIRS = 50


def judge(use_case: UseCase, candidate: Bundle, rows: pd.DataFrame) -> tuple[Check, ...]:
    """Judge a candidate by every behaviour that its use case's policy demands.

    Of each pair one row is as it was observed, and the other differs from it in one input alone; both are scored by
    the graph that would be served.
    Source: Ribeiro, Wu, Guestrin, Singh, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", ACL 2020
    (invariance and directional expectation tests).

    Args:
        use_case: Its policy, and the seed that the pairs are drawn with.
        candidate: The candidate's bundle.
        rows: The held-out rows.

    Returns:
        A check `behaviour.<kind>.<column>` for each policy: the share of pairs that keep to it, with its interval.
    """
    if not use_case.gate.behaviour or rows.empty:
        return ()
    drawn = rows.sample(min(MOST_PAIRS, len(rows)), random_state=use_case.training.seed).reset_index(drop=True)
    return tuple(_check(use_case, policy, candidate, drawn) for policy in use_case.gate.behaviour)


def _check(use_case: UseCase, policy: Behaviour, candidate: Bundle, rows: pd.DataFrame) -> Check:
    code = f"behaviour.{policy.kind}.{policy.column}"
    before, after = _pairs(use_case, policy, rows)
    if len(before) < FEWEST_PAIRS:
        message = (
            f"{plain(len(before))} held-out rows make a pair for {code}, too few to tell: "
            f"at least {FEWEST_PAIRS} are needed"
        )
        return Check(code=code, verdict="unknown", message=message, limit=f">= {plain(policy.min_share, None)}")
    kept = _kept(use_case, policy, score(candidate, before), score(candidate, after))
    what = f"the share of {plain(len(kept))} pairs of rows in which {_spoken(use_case, policy)}"
    check = bounded(code, float(np.mean(kept)), what, minimum=policy.min_share)
    return beside(check, wilson(int(np.sum(kept)), len(kept)))


def _pairs(use_case: UseCase, policy: Behaviour, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows as they were observed, and the same rows with another value in one input."""
    known = rows[rows[policy.column].notna()].reset_index(drop=True)
    values = known[policy.column]
    if isinstance(policy, Direction):
        moved = values.to_numpy(dtype=np.float64) + policy.step
        within = _allowed(use_case.column(policy.column), moved)
        return known[within], known.assign(**{policy.column: moved})[within]
    if values.nunique() < 2:
        return known.head(0), known.head(0)
    return known, known.assign(**{policy.column: _others(values, use_case.training.seed)})


def _allowed(column: Column, values: Vector) -> Mask:
    low, high = column.range or (-np.inf, np.inf)
    allowed: Mask = (values >= low) & (values <= high)
    return allowed


def _others(values: pd.Series[Any], seed: int) -> Any:
    """For each value another one of them, each of the others as likely."""
    positions, different = values.factorize()
    further = np.random.default_rng(seed).integers(1, len(different), len(values))
    return different.take((positions + further) % len(different))


def _kept(use_case: UseCase, policy: Behaviour, before: Scores, after: Scores) -> Mask:
    """Which pairs keep to the policy; one with an answer that is none does not."""
    told: Mask = usable(before) & usable(after)
    with np.errstate(invalid="ignore"):
        kept = (
            _alike(policy, before, after)
            if isinstance(policy, Invariance)
            else _pushed(use_case, policy, before, after)
        )
    both: Mask = told & kept
    return both


def _alike(policy: Invariance, before: Scores, after: Scores) -> Mask:
    change = np.abs(after - before)
    alike: Mask = (
        change.max(axis=1) <= policy.max_change if change.ndim == 2 else change <= policy.max_change * np.abs(before)
    )
    return alike


def _pushed(use_case: UseCase, policy: Direction, before: Scores, after: Scores) -> Mask:
    """Which answers go the right way, or stay, or go the wrong way by no more than is tolerated."""
    tolerated: Any = policy.tolerance
    if use_case.classes:
        looked_at = use_case.classes.index(_label(use_case, policy))
        before, after = before[:, looked_at], after[:, looked_at]
    else:
        tolerated = policy.tolerance * np.abs(before)
    gain = after - before if policy.expect == "rise" else before - after
    pushed: Mask = gain >= -tolerated
    return pushed


def _label(use_case: UseCase, policy: Direction) -> str:
    return policy.label or use_case.classes[-1]


def _spoken(use_case: UseCase, policy: Behaviour) -> str:
    """What the pairs keep to, in words."""
    if isinstance(policy, Invariance):
        most = f"{policy.max_change:.4g}" if use_case.classes else f"{policy.max_change:.4g} of itself"
        said = "no probability" if use_case.classes else "the prediction does not"
        verb = "changes by more than" if use_case.classes else "change by more than"
        return f"{said} {verb} {most} when {policy.column} takes another value"
    looked_at = f"the probability of {_label(use_case, policy)!r}" if use_case.classes else "the prediction"
    opposite = "fall" if policy.expect == "rise" else "rise"
    slack = (
        f" by more than {policy.tolerance:.4g}{'' if use_case.classes else ' of itself'}" if policy.tolerance else ""
    )
    return f"{looked_at} does not {opposite}{slack} when {policy.column} changes by {policy.step:+g}"
