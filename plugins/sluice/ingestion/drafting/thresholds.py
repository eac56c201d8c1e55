"""Thresholds: what the gate may ask for, told from what a plain model reaches."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sluice.domain.measures import HIGHER_IS_BETTER, Metric, Task
from sluice.domain.policy import Threshold
from sluice.ingestion.drafting.baseline import Baseline

#: What is asked for, by task.
METRICS: dict[Task, tuple[Metric, ...]] = {
    "regression": ("r2", "rmse"),
    "binary": ("roc_auc", "log_loss"),
    "multiclass": ("balanced_accuracy", "log_loss"),
}

#: How many sampling errors, and what share of the way to chance, a threshold stays behind.
ERRORS = 2.0
MARGIN = 0.1

#: Share of the way from chance to perfection that is asked for at least.
LEAST = 0.05


def errors(task: Task, reached: Baseline, held_out: int) -> dict[Metric, float]:
    """How far what is asked for may be off by chance alone, in each metric's unit.

    Args:
        task: What is predicted.
        reached: By a plain model.
        held_out: How many rows the gate judges by.
    """
    return {metric: reached.outcomes.error(metric, held_out) for metric in METRICS[task]}


def demand(
    task: Task, reached: Baseline, off: Mapping[Metric, float], better_than_chance: bool
) -> dict[Metric, Threshold]:
    """Thresholds that a plain model passes clearly, and that no model passes by chance.

    Args:
        task: What is predicted.
        reached: By a plain model.
        off: As `errors` returns it.
        better_than_chance: Whether what is reached means anything; where not, the thresholds demand that it does.
    """
    return {metric: _bound(metric, reached, off[metric], better_than_chance) for metric in METRICS[task]}


def _bound(metric: Metric, reached: Baseline, off: float, better_than_chance: bool) -> Threshold:
    ideal = 1.0 if metric in HIGHER_IS_BETTER else 0.0
    # A mean that was learned on other rows may fall below 0, where even the mean of the rows themselves is better.
    chance = max(reached.chance[metric], 0.0) if metric == "r2" else reached.chance[metric]
    least = LEAST * (ideal - chance)
    gained = reached.mean[metric] - chance
    if better_than_chance and gained * (ideal - chance) > 0:
        behind = math.copysign(ERRORS * off, gained) + MARGIN * gained
        # Never so far behind that chance would do.
        least = min(least, gained / 2, key=abs)
        least = max(gained - behind, least, key=lambda kept: kept * math.copysign(1, gained))
    value = chance + least
    digits = float(f"{value:.3g}")
    return Threshold(min=digits) if metric in HIGHER_IS_BETTER else Threshold(max=digits)
