"""Outcomes: what rows came to beside what a model said of them, and how far a metric of so many may be off."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sluice.adapters.metrics import METRICS
from sluice.domain.measures import Metric
from sluice.ingestion.drafting.design import Floats

#: How often rows are drawn; the error is then told to within a twentieth.
RESAMPLES = 200


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Rows that a model was not fitted on.

    Attributes:
        observed: Shape (rows,), a number or a class's position.
        said: Shape (rows,), or for classes (rows, classes), their probabilities.
        groups: Shape (rows,), the same number for rows that are the same thing.
    """

    observed: Floats = field(repr=False)
    said: Floats = field(repr=False)
    groups: NDArray[np.int64] = field(repr=False)

    def error(self, metric: Metric, rows: int) -> float:
        """The sampling error of a metric that is measured on other rows of the kind.

        Rows of one group are drawn together, as they are held out together.

        Args:
            metric: Which.
            rows: On about how many rows it is measured.

        Returns:
            The metric's standard deviation over bootstrap samples of that size, in the metric's unit.

        Source: Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7, 1979; by groups,
            Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
        """
        names, groups = np.unique(self.groups, return_inverse=True)
        draws = max(1, round(rows * len(names) / len(groups)))
        random = np.random.default_rng(0)
        found = []
        for _ in range(RESAMPLES):
            times = np.bincount(random.integers(0, len(names), draws), minlength=len(names))
            taken = np.repeat(np.arange(len(groups)), times[groups])
            found.append(METRICS[metric](self.observed[taken], self.said[taken]))
        # A metric has no value where the rows drawn are all of one class.
        return float(np.nanstd(found))
