from __future__ import annotations

import numpy as np
import pandas as pd

from sluice.domain.use_case import UseCase
from sluice.training import features
from sluice.training.snapshots import Rows


def test_a_ratio_is_missing_where_its_denominator_is_zero_or_missing_and_where_it_overflows() -> None:
    frame = pd.DataFrame({"a": [6.0, 1.0, 0.0, np.nan, 1e308], "b": [2.0, 0.0, 0.0, 2.0, 1e-308]})
    made = features.Numbers(["a", "b"], [(0, 1)]).fit(frame).transform(frame)
    np.testing.assert_array_equal(made[:, 2], [3.0, np.nan, np.nan, np.nan, np.nan])


def test_a_ratio_is_imputed_by_the_typical_ratio_and_not_by_the_ratio_of_typical_values(flats: UseCase) -> None:
    frame = pd.DataFrame(
        {"area": [10.0, 20.0, 90.0], "rooms": [1.0, 4.0, np.nan], "lift": [True, False, None], "district": "north"}
    )
    made = features.pipeline(flats, scale=False).fit_transform(frame)
    area, rooms, lift, ratio = made[2, :4]
    assert (area, rooms, lift, ratio) == (90.0, 2.5, 0.5, 7.5)


def test_a_category_becomes_one_column_per_declared_value_and_an_unseen_one_none(flats: UseCase, rows: Rows) -> None:
    steps = features.pipeline(flats, scale=False).fit(rows.train.inputs)
    frame = rows.test.inputs.head(4).assign(district=pd.Series(["south", "old town", "moon", None]))
    np.testing.assert_array_equal(steps.transform(frame)[:, -3:], [[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])


def test_numbers_are_scaled_only_for_families_that_need_it(flats: UseCase, rows: Rows) -> None:
    scaled = features.pipeline(flats, scale=True).fit_transform(rows.train.inputs)[:, :4]
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
    raw = features.pipeline(flats, scale=False).fit_transform(rows.train.inputs)
    np.testing.assert_array_equal(raw[:, 0], rows.train.inputs["area"])


def test_a_column_that_training_never_saw_filled_still_has_its_place(flats: UseCase, rows: Rows) -> None:
    steps = features.pipeline(flats, scale=True)
    made = steps.fit_transform(rows.train.inputs.assign(rooms=np.nan))
    assert made.shape[1] == 7
    assert np.isfinite(made).all()
