"""Importance: how much worse the served graph gets when one input is shuffled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice.adapters.metrics import METRICS
from sluice.domain.measures import Metric, default_metric
from sluice.training.candidate import Candidate

#: Test rows it is measured on, spread over all, and how often each input is shuffled.
MOST_ROWS = 2_000
REPEATS = 5


@dataclass(frozen=True)
class Importance:
    """What one input is worth.

    Attributes:
        name: The input.
        mean: How much the metric rises, which is better the lower, on average over the shuffles.
        deviation: The standard deviation over the shuffles.
    """

    name: str
    mean: float
    deviation: float


@dataclass(frozen=True)
class Importances:
    """What the inputs are worth.

    Attributes:
        metric: What was measured: RMSE for a number, log loss for classes.
        inputs: The one that matters most first.
    """

    metric: Metric
    inputs: tuple[Importance, ...]


def measure(candidate: Candidate) -> Importances:
    """Shuffle each input of the test rows in turn and score them with the graph that is served.

    Source: Breiman, "Random Forests", Machine Learning 45, 2001.
    """
    part, metric = candidate.rows.test, default_metric(candidate.use_case.task)
    some = np.unique(np.linspace(0, len(part) - 1, min(len(part), MOST_ROWS)).astype(int))
    inputs, actual = part.inputs.iloc[some].reset_index(drop=True), part.target[some]
    graph, score = candidate.bundle.graph, METRICS[metric]
    undisturbed = score(actual, graph.predict(inputs))
    draw = np.random.default_rng(candidate.use_case.training.seed)
    found = []
    for name in inputs.columns:
        rises = []
        for _ in range(REPEATS):
            shuffled = inputs[name].iloc[draw.permutation(len(inputs))].reset_index(drop=True)
            rises.append(score(actual, graph.predict(inputs.assign(**{name: shuffled}))) - undisturbed)
        found.append(Importance(str(name), float(np.mean(rises)), float(np.std(rises))))
    return Importances(metric, tuple(sorted(found, key=lambda i: -i.mean)))
