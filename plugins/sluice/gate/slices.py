"""Slices: parts of the held-out rows that must do well by themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sluice.adapters.groups import Group, groups
from sluice.adapters.intervals import beside, draws, percentile
from sluice.adapters.metrics import METRICS, Scores, Vector
from sluice.domain.evidence import Check, bounded
from sluice.domain.figures import plain
from sluice.domain.measures import TITLES, Metric
from sluice.domain.policy import Slice
from sluice.domain.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd

#: Metrics that ask how well a class is found, and so say nothing where it has no row.
_OF_FINDING: frozenset[Metric] = frozenset({"f1", "precision", "recall"})


def judge(
    use_case: UseCase, rows: pd.DataFrame, actual: Vector, scores: Scores
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Judge a candidate on every slice of its use case's policy.

    Args:
        use_case: Its policy.
        rows: The held-out rows, with the columns that they are sliced by.
        actual: Shape (rows,), what was observed.
        scores: What the candidate says of the rows.

    Returns:
        A check `slice.<column>.<slice>.<metric>` for each bound, and a note on what was too small to tell.
    """
    checks: list[Check] = []
    notes: list[str] = []
    for policy in use_case.gate.slices:
        found = groups(use_case.column(policy.column), policy.edges, rows[policy.column])
        counted = [(group, int(group.rows.sum())) for group in found]
        small = [(group.name, count) for group, count in counted if count < policy.min_rows]
        notes += too_small("slices", policy.min_rows, small)
        for group, count in counted:
            if count >= policy.min_rows:
                checks += _checks(use_case, policy, group, actual[group.rows], scores[group.rows])
    return tuple(checks), tuple(notes)


def too_small(what: str, least: int, found: list[tuple[str, int]]) -> list[str]:
    """A note that names what was too small to tell, with its rows; none where nothing was.

    Args:
        what: What was too small, in the plural.
        least: How many rows are needed.
        found: Name and rows of each.
    """
    if not found:
        return []
    named = ", ".join(f"{name} ({plain(rows)})" for name, rows in found)
    return [f"{what} with too few held-out rows to tell, under {plain(least)}: {named}"]


def _checks(use_case: UseCase, policy: Slice, group: Group, actual: Vector, scores: Scores) -> list[Check]:
    drawn = draws(policy.thresholds, actual, scores, use_case.training.seed)
    return [
        beside(
            bounded(
                f"slice.{policy.column}.{group.code}.{metric}",
                _measured(use_case, metric, actual, scores),
                f"{TITLES[metric]} among {group.name}",
                bound.min,
                bound.max,
            ),
            percentile(drawn[metric]),
        )
        for metric, bound in policy.thresholds.items()
    ]


def _measured(use_case: UseCase, metric: Metric, actual: Vector, scores: Scores) -> float:
    sought = range(len(use_case.classes))[-1:] if use_case.task == "binary" else range(len(use_case.classes))
    if metric in _OF_FINDING and not np.isin(list(sought), actual).all():
        return math.nan
    return METRICS[metric](actual, scores)
