from __future__ import annotations

import pickle
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sluice.domain.features import Imputation
from sluice.domain.use_case import UseCase
from sluice.training import features
from sluice.training.choices import Choices
from sluice.training.snapshots import Rows
from tests.unit.training.conftest import spec

PLAIN = Choices("median", {})
GEOMETRY: dict[str, Any] = {
    "rotations": [{"name": "aslant", "columns": ["area", "rooms"], "degrees": [90.0]}],
    "clusters": [{"name": "near", "columns": ["area", "rooms"], "k": 3}],
}


def test_a_ratio_is_missing_where_its_denominator_is_zero_or_missing_and_where_it_overflows() -> None:
    frame = pd.DataFrame({"a": [6.0, 1.0, 0.0, np.nan, 1e308], "b": [2.0, 0.0, 0.0, 2.0, 1e-308]})
    made = features.Numbers(["a", "b"], [(0, 1)]).fit(frame).transform(frame)
    np.testing.assert_array_equal(made[:, 2], [3.0, np.nan, np.nan, np.nan, np.nan])


def test_a_ratio_is_imputed_by_the_typical_ratio_and_not_by_the_ratio_of_typical_values(flats: UseCase) -> None:
    frame = pd.DataFrame(
        {"area": [10.0, 20.0, 90.0], "rooms": [1.0, 4.0, np.nan], "lift": [True, False, None], "district": "north"}
    )
    made = features.pipeline(flats, PLAIN, scale=False).fit_transform(frame)
    area, rooms, lift, ratio = made[2, :4]
    assert (area, rooms, lift, ratio) == (90.0, 2.5, 0.5, 7.5)


@pytest.mark.parametrize("policy", ["ignore", "reject"])
def test_a_category_becomes_one_column_per_declared_value_and_an_unseen_one_none(policy: str, rows: Rows) -> None:
    steps = features.pipeline(spec(features={"unseen_category": policy}), PLAIN, scale=False).fit(rows.train.inputs)
    frame = rows.test.inputs.head(4).assign(district=pd.Series(["south", "old town", "moon", None]))
    np.testing.assert_array_equal(steps.transform(frame)[:, -3:], [[0, 1, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])


def test_an_unseen_or_missing_category_can_count_as_the_most_frequent_one_of_training(rows: Rows) -> None:
    use_case = spec(features={"unseen_category": "most_frequent"})
    districts = ["old town", "north", "old town", None, None, None, "moon", "moon", "moon"]
    train = rows.train.inputs.head(9).assign(district=pd.Series(districts, dtype=object))
    steps = features.pipeline(use_case, PLAIN, scale=False).fit(train)
    # Declared, but in no training row: "south" is as unseen as "moon".
    frame = rows.test.inputs.head(4).assign(district=pd.Series(["north", "south", "moon", None], dtype=object))
    np.testing.assert_array_equal(steps.transform(frame)[:, -3:], [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]])


def test_numbers_are_scaled_only_for_families_that_need_it(flats: UseCase, rows: Rows) -> None:
    scaled = features.pipeline(flats, PLAIN, scale=True).fit_transform(rows.train.inputs)[:, :4]
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
    raw = features.pipeline(flats, PLAIN, scale=False).fit_transform(rows.train.inputs)
    np.testing.assert_array_equal(raw[:, 0], rows.train.inputs["area"])


def test_a_spec_may_say_that_nothing_is_scaled(rows: Rows) -> None:
    use_case = spec(features={"scale": False})
    made = features.pipeline(use_case, PLAIN, scale=True).fit_transform(rows.train.inputs)
    np.testing.assert_array_equal(made[:, 0], rows.train.inputs["area"])


def test_rotations_and_cluster_distances_are_made_of_imputed_columns(rows: Rows) -> None:
    use_case = spec(features=GEOMETRY)
    made = features.pipeline(use_case, Choices("mean", {"near": 3}), scale=False).fit_transform(rows.train.inputs)
    # Four numbers, one rotation, three distances, three districts.
    assert made.shape[1] == 11
    assert np.isfinite(made).all()
    gap = rows.train.inputs["rooms"].isna().to_numpy()
    np.testing.assert_allclose(made[gap, 4], rows.train.inputs["rooms"].mean())


def test_as_many_clusters_are_made_as_were_chosen(rows: Rows) -> None:
    made = features.pipeline(spec(features=GEOMETRY), Choices("mean", {"near": 7}), scale=False)
    assert made.fit_transform(rows.train.inputs).shape[1] == 15


@pytest.mark.parametrize("way", get_args(Imputation))
def test_a_column_that_training_never_saw_filled_still_has_its_place(
    way: Imputation, flats: UseCase, rows: Rows
) -> None:
    steps = features.pipeline(flats, Choices(way, {}), scale=True)
    made = steps.fit_transform(rows.train.inputs.assign(rooms=np.nan))
    assert made.shape[1] == 7
    assert np.isfinite(made).all()


@pytest.mark.parametrize("way", get_args(Imputation))
def test_steps_can_be_cloned_and_learn_the_same_again(way: Imputation, rows: Rows) -> None:
    use_case = spec(features={**GEOMETRY, "unseen_category": "most_frequent"})
    steps = features.pipeline(use_case, Choices(way, {"near": 3}), scale=True)
    first = steps.fit_transform(rows.train.inputs)
    np.testing.assert_array_equal(clone(steps).fit_transform(rows.train.inputs), first)


@pytest.mark.parametrize("way", get_args(Imputation))
def test_fitted_steps_can_be_stored_with_and_without_pickle(way: Imputation, rows: Rows) -> None:
    # Local: where MLflow was not loaded before it, it trips over Airflow's deprecated names.
    import skops.io

    use_case = spec(features={**GEOMETRY, "unseen_category": "most_frequent"})
    steps = features.pipeline(use_case, Choices(way, {"near": 3}), scale=False).fit(rows.train.inputs)
    expected = steps.transform(rows.test.inputs)
    stored = skops.io.dumps(steps)
    own = skops.io.get_untrusted_types(data=stored)
    assert all(name.startswith(("sluice.training.", "numpy.")) for name in own), own
    pickled = pickle.loads(pickle.dumps(steps))  # noqa: S301 - its own
    for copy in (skops.io.loads(stored, trusted=own), pickled):
        np.testing.assert_array_equal(copy.transform(rows.test.inputs), expected)
