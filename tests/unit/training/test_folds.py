from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sluice.domain.errors import DataError
from sluice.training import folds
from sluice.training.snapshots import Part
from tests.unit.training.conftest import spec
from tests.unit.training.trainings import use_case_of

NUMBER = spec()
CLASSES = use_case_of("multiclass")


def part(identity: list[str]) -> Part:
    return Part(pd.DataFrame({"a": range(len(identity))}), np.zeros(len(identity)), np.array(identity, dtype=object))


def test_rows_of_one_identity_are_never_divided() -> None:
    twins = part([str(i // 3) for i in range(90)])
    for fold in folds.divide(NUMBER, twins, 3, seed=1):
        assert not set(twins.identity[fold.fit]) & set(twins.identity[fold.score])
    scored = np.concatenate([fold.score for fold in folds.divide(NUMBER, twins, 3, seed=1)])
    assert sorted(scored) == list(range(90))


def test_the_same_seed_divides_the_same_way_and_another_does_not() -> None:
    rows = part([str(i) for i in range(50)])
    first, again, other = (folds.divide(NUMBER, rows, 2, seed=seed)[0].score.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_fewer_different_rows_than_folds_are_refused() -> None:
    with pytest.raises(DataError, match="2 different rows cannot make 3 folds"):
        folds.divide(NUMBER, part(["a", "b", "a"]), 3, seed=0)


def test_every_fold_holds_its_share_of_each_class_and_copies_stay_together() -> None:
    rare = np.repeat([0.0, 1.0, 2.0], [200, 70, 30])
    rows = Part(pd.DataFrame({"a": rare}), rare, np.array([str(i // 2) for i in range(300)], dtype=object))
    for fold in folds.divide(CLASSES, rows, 3, seed=1):
        assert np.bincount(rows.target[fold.score].astype(int)).tolist() == pytest.approx([67, 23, 10], abs=4)
        assert not set(rows.identity[fold.fit]) & set(rows.identity[fold.score])


def test_copies_of_a_row_do_not_make_a_class_common_enough() -> None:
    copied = np.repeat([0.0, 1.0, 2.0], [40, 40, 8])
    names = [*map(str, range(80)), *["the same"] * 8]
    rows = Part(pd.DataFrame({"a": copied}), copied, np.array(names, dtype=object))
    with pytest.raises(DataError, match="has 1 different training rows, and 4 folds need 4"):
        folds.divide(CLASSES, rows, 4, seed=0)
