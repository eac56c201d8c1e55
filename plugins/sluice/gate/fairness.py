"""Fairness: how far apart groups of people are under a model of two classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.adapters.groups import Group, Mask, groups
from sluice.adapters.intervals import RESAMPLES, beside, percentile
from sluice.adapters.metrics import Scores, Vector, chosen
from sluice.domain.evidence import Check, bounded
from sluice.domain.figures import plain
from sluice.domain.policy import Fairness
from sluice.domain.use_case import UseCase
from sluice.gate.slices import too_small

if TYPE_CHECKING:
    import pandas as pd


def judge(
    use_case: UseCase, rows: pd.DataFrame, actual: Vector, scores: Scores
) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """Judge a candidate by every fairness policy of its use case.

    Source: Hardt, Price, Srebro, "Equality of Opportunity in Supervised Learning", NeurIPS 2016, and Fairlearn's
    `MetricFrame`, which this computes with.

    Args:
        use_case: Its policy; of two classes.
        rows: The held-out rows, with the columns that tell the groups.
        actual: Shape (rows,), what was observed.
        scores: What the candidate says of the rows, shape (rows, 2).

    Returns:
        Checks `fairness.<column>.<metric>.difference` and `.ratio` for each bound, and a note on the groups that
        were too small to tell.
    """
    checks: list[Check] = []
    notes: list[str] = []
    for policy in use_case.gate.fairness:
        found = groups(use_case.column(policy.column), policy.edges, rows[policy.column])
        counted = {group.name: int((group.rows & _counts(policy, actual)).sum()) for group in found}
        small = [(name, count) for name, count in counted.items() if count < policy.min_rows]
        notes += too_small(f"groups for the {_spoken(policy)}", policy.min_rows, small)
        large = [group for group in found if counted[group.name] >= policy.min_rows]
        checks += _checks(policy, _rates(policy, large, actual, scores), counted, use_case.training.seed)
    return tuple(checks), tuple(notes)


def _spoken(policy: Fairness) -> str:
    return policy.metric.replace("_", " ")


def _counts(policy: Fairness, actual: Vector) -> Mask:
    """Which rows the metric is a share of."""
    classes = {"true_positive_rate": [1], "false_positive_rate": [0]}.get(policy.metric, [0, 1])
    return np.isin(actual, classes)


def _rates(policy: Fairness, found: list[Group], actual: Vector, scores: Scores) -> Any:
    """The metric of each group, as a MetricFrame; None where there is nothing to compare."""
    if len(found) < 2:
        return None
    # Local: fairlearn brings pandas and scikit-learn, and few use cases have groups of people.
    from fairlearn import metrics as library
    from sklearn.metrics import accuracy_score

    metrics = {
        "selection_rate": library.selection_rate,
        "true_positive_rate": library.true_positive_rate,
        "false_positive_rate": library.false_positive_rate,
        "accuracy": accuracy_score,
    }
    names = np.full(len(actual), "", dtype=object)
    for group in found:
        names[group.rows] = group.name
    told = names != ""
    return library.MetricFrame(
        metrics=metrics[policy.metric],
        y_true=actual[told].astype(int),
        y_pred=chosen(scores)[told].astype(int),
        sensitive_features=names[told],
    )


def _checks(policy: Fairness, rates: Any, counted: dict[str, int], seed: int) -> list[Check]:
    code, spoken = f"fairness.{policy.column}.{policy.metric}", _spoken(policy)
    difference = ratio = math.nan
    between = "which fewer than two groups are large enough for"
    differences = ratios = np.array([math.nan])
    if rates is not None:
        difference, ratio = float(rates.difference()), float(rates.ratio())
        shares = rates.by_group.astype(float)
        low, high = shares.idxmin(), shares.idxmax()
        between = f"from {plain(shares[low], 3)} where {low} to {plain(shares[high], 3)} where {high}"
        counts = np.array([counted[name] for name in shares.index])
        # Of a share, resamples of the rows are draws from a binomial.
        drawn = np.random.default_rng(seed).binomial(counts, shares.to_numpy(), (RESAMPLES, len(counts))) / counts
        least, most = drawn.min(axis=1), drawn.max(axis=1)
        differences = most - least
        ratios = np.divide(least, most, out=np.full(len(most), math.nan), where=most > 0)
    checks = []
    if policy.max_difference is not None:
        what = f"the difference of the {spoken} between groups, {between},"
        check = bounded(f"{code}.difference", difference, what, maximum=policy.max_difference)
        checks.append(beside(check, percentile(differences)))
    if policy.min_ratio is not None:
        what = f"the ratio of the {spoken} between groups, {between},"
        check = bounded(f"{code}.ratio", ratio, what, minimum=policy.min_ratio)
        checks.append(beside(check, percentile(ratios)))
    return checks
