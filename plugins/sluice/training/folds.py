"""Folds: training rows divided for cross-validation, with rows of one identity always together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from sluice.domain.errors import DataError
from sluice.domain.use_case import UseCase
from sluice.training.snapshots import Part

Indices = np.ndarray[tuple[int], np.dtype[Any]]


@dataclass(frozen=True)
class Fold:
    """Positions of the rows that are fitted on, and of those that are scored."""

    fit: Indices
    score: Indices


def divide(use_case: UseCase, part: Part, count: int, seed: int) -> tuple[Fold, ...]:
    """Divide rows into folds; the same rows and seed give the same folds.

    Rows of one identity stay together; the folds of classes hold as equal shares of each class as that allows.

    Args:
        use_case: Says whether there are classes.
        part: The rows.
        count: How many folds.
        seed: Of the shuffling.

    Raises:
        DataError: There are fewer different rows, or different rows of a class, than folds.
    """
    different = len(np.unique(part.identity))
    if different < count:
        raise DataError(f"{different} different rows cannot make {count} folds", action="ingest more rows")
    if not use_case.classes:
        splits = GroupKFold(count, shuffle=True, random_state=seed).split(part.target, groups=part.identity)
        return tuple(Fold(fit, score) for fit, score in splits)
    _refuse_rare_classes(use_case, part, count)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return tuple(Fold(fit, score) for fit, score in splitter.split(part.target, part.target, part.identity))


def _refuse_rare_classes(use_case: UseCase, part: Part, count: int) -> None:
    for index, name in enumerate(use_case.classes):
        rows = len(np.unique(part.identity[part.target == index]))
        if rows < count:
            raise DataError(
                f"class {name!r} has {rows} different training rows, and {count} folds need {count}",
                f"validated.{use_case.name}",
                "ingest more rows of it, or take the class out of the spec",
            )
