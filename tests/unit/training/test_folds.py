from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sluice.domain.errors import DataError
from sluice.training import folds
from sluice.training.snapshots import Part


def part(identity: list[str]) -> Part:
    return Part(pd.DataFrame({"a": range(len(identity))}), np.zeros(len(identity)), np.array(identity, dtype=object))


def test_rows_of_one_identity_are_never_divided() -> None:
    twins = part([str(i // 3) for i in range(90)])
    for fold in folds.divide(twins, 3, seed=1):
        assert not set(twins.identity[fold.fit]) & set(twins.identity[fold.score])
    scored = np.concatenate([fold.score for fold in folds.divide(twins, 3, seed=1)])
    assert sorted(scored) == list(range(90))


def test_the_same_seed_divides_the_same_way_and_another_does_not() -> None:
    rows = part([str(i) for i in range(50)])
    first, again, other = (folds.divide(rows, 2, seed=seed)[0].score.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_fewer_different_rows_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match="2 different rows cannot make 3 folds"):
        folds.divide(part(["a", "b", "a"]), 3, seed=0)
