from __future__ import annotations

from typing import get_args

import pytest

from sluice.domain.search import HYPERPARAMETERS, Family
from sluice.domain.use_case import UseCase
from sluice.training import graph
from sluice.training.families import FAMILIES, regressor
from sluice.training.snapshots import Rows
from tests.unit.training.conftest import spec


def test_a_spec_may_name_exactly_the_families_that_can_be_written_as_a_graph() -> None:
    assert set(HYPERPARAMETERS) == set(FAMILIES) == set(get_args(Family))
    assert {type(setup.make(setup.start, 0)) for setup in FAMILIES.values()} == set(graph.WRITERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_hyper_parameter_a_spec_may_search_is_one_of_the_estimator(family: Family) -> None:
    setup = FAMILIES[family]
    assert HYPERPARAMETERS[family] <= set(setup.make({}, 0).get_params())
    assert set(setup.start) <= HYPERPARAMETERS[family]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("transform", ["none", "log"])
def test_every_family_learns_the_rows_in_the_targets_own_unit(family: Family, transform: str, rows: Rows) -> None:
    use_case = spec(training={"target_transform": transform})
    model = regressor(use_case, family, FAMILIES[family].start).fit(rows.train.inputs, rows.train.target)
    assert model.score(rows.test.inputs, rows.test.target) > 0.8


def test_the_spec_may_forbid_scaling(flats: UseCase) -> None:
    names = [step for step, _ in regressor(flats, "ridge", {})["features"].transformers[0][1].steps]
    unscaled = regressor(spec(features={"scale": False}), "ridge", {})
    assert "scale" in names
    assert "scale" not in [step for step, _ in unscaled["features"].transformers[0][1].steps]
