"""Folds: training rows divided for cross-validation, with rows of one identity always together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold

from sluice.domain.errors import DataError
from sluice.training.snapshots import Part

Indices = np.ndarray[tuple[int], np.dtype[Any]]


@dataclass(frozen=True)
class Fold:
    """Positions of the rows that are fitted on, and of those that are scored."""

    fit: Indices
    score: Indices


def divide(part: Part, count: int, seed: int) -> tuple[Fold, ...]:
    """Divide rows into folds; the same rows and seed give the same folds.

    Args:
        part: The rows.
        count: How many folds.
        seed: Of the shuffling.

    Raises:
        DataError: There are fewer different rows than folds.
    """
    different = len(np.unique(part.identity))
    if different < count:
        raise DataError(f"{different} different rows cannot make {count} folds", action="ingest more rows")
    splitter = GroupKFold(count, shuffle=True, random_state=seed)
    return tuple(Fold(fit, score) for fit, score in splitter.split(part.target, groups=part.identity))
