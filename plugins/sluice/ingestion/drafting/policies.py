"""Policies: what a drafted use case asks of its batches, its training, its gate and its daily check."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from sluice.domain.measures import Metric
from sluice.domain.policy import Calibration, Generalisation, Leaks, Threshold
from sluice.domain.search import Family
from sluice.ingestion.drafting.assumptions import Assumptions
from sluice.ingestion.drafting.baseline import Baseline
from sluice.ingestion.drafting.choices import Choice
from sluice.ingestion.drafting.leaks import MOST
from sluice.ingestion.drafting.parts import FEWEST_TEST_ROWS

#: Rows to train on from which data is no longer small, and from which it is large.
SMALL = 2_000
LARGE = 20_000

#: Most columns whose mean is watched.
MOST_MEANS = 12

#: Categories from which a column is taken to have more than were seen.
OPEN_CATEGORIES = 10

#: What a plain model reaches, R2 or ROC AUC, below which the target is hard to tell.
HARD = 0.8

#: Held-out rows below which a frequency is not told closely.
FEW_TEST_ROWS = 200

#: Share of new rows that a training's intervals and sets are to hold.
PROMISED = 0.9
#: How seldom the calibration rows may be so unlike all others that an honest set is refused.
UNLUCKY = 0.001

Space = dict[str, Any]

TREES: dict[str, tuple[Space, Space]] = {
    "small": (
        {"n_estimators": 200, "max_leaf_nodes": {"low": 8, "high": 64}, "min_samples_leaf": {"low": 1, "high": 10}},
        {
            "learning_rate": {"low": 0.03, "high": 0.2, "log": True},
            "max_iter": {"low": 50, "high": 200},
            "max_leaf_nodes": {"low": 4, "high": 16},
            "min_samples_leaf": {"low": 5, "high": 30},
        },
    ),
    "medium": (
        {"n_estimators": 150, "max_leaf_nodes": {"low": 64, "high": 512}, "min_samples_leaf": {"low": 1, "high": 20}},
        {
            "learning_rate": {"low": 0.03, "high": 0.2, "log": True},
            "max_iter": {"low": 100, "high": 400},
            "max_leaf_nodes": {"low": 8, "high": 40},
            "min_samples_leaf": {"low": 5, "high": 60},
            "l2_regularization": {"low": 0.0001, "high": 10, "log": True},
        },
    ),
}

LIGHTGBM: Space = {
    "learning_rate": {"low": 0.03, "high": 0.2, "log": True},
    "n_estimators": {"low": 100, "high": 500},
    "num_leaves": {"low": 8, "high": 64},
    "min_child_samples": {"low": 5, "high": 60},
    "reg_lambda": {"low": 0.0001, "high": 10, "log": True},
}


def size(assumed: Assumptions) -> str:
    """How many rows there are to train on, in a word."""
    rows = assumed.parts.counts["train"]
    return "small" if rows < SMALL else "medium" if rows < LARGE else "large"


def quality(assumed: Assumptions) -> dict[str, Any]:
    """The rules of a batch; the file itself keeps to them."""
    bad = assumed.bad_share
    return {
        "max_bad_share": round(max(0.05, min(1.0, 1.5 * bad + 0.02)), 2),
        "min_rows": max(1, assumed.rows // 2),
        "expectations": list(_expectations(assumed)),
    }


def training(assumed: Assumptions) -> dict[str, Any]:
    """The search: families, how long, over how many folds."""
    how_large = size(assumed)
    trees, boosting = TREES["small" if how_large == "small" else "medium"]
    families: dict[Family, Space] = {}
    if assumed.objective.classes:
        families["logistic_regression"] = {"C": {"low": 0.001, "high": 100, "log": True}}
    else:
        families["ridge"] = {"alpha": {"low": 0.001, "high": 100, "log": True}}
    if how_large != "large":
        families["random_forest"] = trees
    families["hist_gradient_boosting"] = boosting
    if how_large != "small":
        families["lightgbm"] = LIGHTGBM
    trials, minutes, folds = {"small": (20, 5, 5), "medium": (20, 10, 4), "large": (15, 20, 3)}[how_large]
    return {
        "families": families,
        "trials": trials,
        "time_limit_minutes": minutes,
        "folds": max(2, min(folds, _rarest(assumed))),
        "target_transform": "log" if assumed.objective.log else "none",
        "split": {"test": assumed.parts.test, "calibration": assumed.parts.calibration},
        "seed": 0,
    }


def features(assumed: Assumptions) -> dict[str, Any]:
    """How raw inputs become what an estimator sees."""
    gaps = any(c.field.missing for c in assumed.features if c.field.numeric)
    open_ended = any(_is_open(c) for c in assumed.features)
    return {
        "impute": "auto" if gaps else "median",
        "scale": True,
        "unseen_category": "ignore" if open_ended else "reject",
    }


def gate(assumed: Assumptions, demanded: dict[Metric, Threshold]) -> dict[str, Any]:
    """What a candidate must show."""
    held_out = assumed.parts.counts["test"]
    return {
        "thresholds": {metric: bound.model_dump(exclude_none=True) for metric, bound in demanded.items()},
        "change": {"min_improvement": 0, "confidence": 0.95, "resamples": 1000},
        "min_test_rows": max(FEWEST_TEST_ROWS, min(500, math.floor(0.7 * held_out))),
    }


def allowances(assumed: Assumptions, reached: Baseline) -> dict[str, tuple[str, dict[str, Any]]]:
    """Where the gate's defaults are too narrow for this data: part of the gate -> why, and what is allowed.

    Args:
        assumed: Of the file.
        reached: By a plain model.
    """
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    metric = "roc_auc" if assumed.objective.classes else "r2"
    mean = reached.mean[metric]
    best = mean + 2 * reached.deviation[metric]
    if mean < HARD:
        gap = round(Generalisation().max_gap + (1 - max(mean, 0)) / 2, 2)
        why = "Much is left to chance here, so that a model may know rows by heart and do no worse on others."
        found["generalisation"] = why, {"max_gap": gap}
    coarse = _calibration(assumed)
    if coarse:
        found["calibration"] = "Few rows measure probabilities, and how sure a model is, coarsely.", coarse
    if best > Leaks().max_score:
        why = "A plain model is right about nearly all rows. Is that too good to be true? Look for a column made later."
        found["leaks"] = why, {"max_score": 1, "max_alone": 1}
    elif best > Leaks().max_alone:
        why = "A plain model is right about most rows; what tells yet more by itself is left out above."
        found["leaks"] = why, {"max_alone": MOST}
    return found


def _calibration(assumed: Assumptions) -> dict[str, Any]:
    """What is allowed beyond the defaults, because few rows are kept to calibrate on or to judge on.

    Source: Vovk, "Conditional Validity of Inductive Conformal Predictors", ACML 2012: given its calibration rows, what
    a split-conformal set covers follows a beta distribution.
    """
    # Local: scipy takes a second to import.
    from scipy import stats

    allowed: dict[str, Any] = {}
    if assumed.objective.classes and assumed.parts.counts["test"] < FEW_TEST_ROWS:
        allowed["max_error"] = 0.2
    rows = assumed.parts.counts["calibration"]
    missed = math.floor((rows + 1) * (1 - PROMISED))
    short = PROMISED - float(stats.beta.ppf(UNLUCKY, rows + 1 - missed, missed)) if missed else 0.0
    if short > Calibration().max_undercoverage:
        allowed["max_undercoverage"] = math.ceil(100 * short) / 100
    return allowed


def monitoring(assumed: Assumptions) -> dict[str, Any]:
    """What the daily check compares."""
    return {"max_drifted_share": 0.5, "min_rows": max(50, min(200, assumed.rows // 5))}


def example(assumed: Assumptions) -> dict[str, float | int | bool | str]:
    """A typical instance, made of each column's middle or most frequent value."""
    return {choice.field.name: _typical(choice) for choice in assumed.features}


def _typical(choice: Choice) -> float | int | bool | str:
    each = choice.field
    if each.numeric:
        middle = float(np.median(each.known))
        return round(middle) if each.kind == "integer" else float(f"{middle:.4g}")
    values, counts = np.unique([v for v in choice.values.tolist() if v is not None], return_counts=True)
    most = str(values[np.argmax(counts)])
    return most == "true" if each.kind == "boolean" else most


def _is_open(choice: Choice) -> bool:
    return choice.field.kind == "category" and choice.field.distinct >= OPEN_CATEGORIES


def _rarest(assumed: Assumptions) -> int:
    """Different rows to train on, of the rarest class where there are classes: folds keep equal rows together."""
    train = assumed.parts.train
    groups, observed = assumed.inputs.groups[train], assumed.observed[train]
    if not assumed.objective.classes:
        return len(np.unique(groups))
    return min(len(np.unique(groups[observed == c])) for c in range(len(assumed.objective.classes)))


def _expectations(assumed: Assumptions) -> Iterator[dict[str, Any]]:
    """What stays so while the world does: means within half a standard deviation, gaps about as many."""
    for choice in [c for c in assumed.features if c.field.numeric][:MOST_MEANS]:
        yield _mean(choice.field.name, choice.field.known)
    if not assumed.objective.classes:
        yield _mean(assumed.target.name, assumed.observed)
    for choice in assumed.features:
        if choice.field.missing:
            mostly = max(0.0, round(1 - 1.5 * choice.field.missing_share - 0.05, 2))
            yield {"type": "expect_column_values_to_not_be_null", "column": choice.field.name, "mostly": mostly}
    if assumed.target.type == "category":
        values = list(assumed.objective.classes)
        yield {
            "type": "expect_column_distinct_values_to_contain_set",
            "column": assumed.target.name,
            "value_set": values,
        }


def _mean(name: str, values: Any) -> dict[str, Any]:
    mean = float(values.mean())
    width = 0.5 * float(values.std()) or abs(mean) / 10 or 1.0
    step = 10.0 ** (math.floor(math.log10(width)) - 1)
    low, high = math.floor((mean - width) / step) * step, math.ceil((mean + width) / step) * step
    return {
        "type": "expect_column_mean_to_be_between",
        "column": name,
        "min_value": float(f"{low:.12g}"),
        "max_value": float(f"{high:.12g}"),
    }
