"""The graph of the feature steps, compared with the steps themselves on rows of every kind."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import MinMaxScaler

from sluice.adapters.bundles import agreement
from sluice.adapters.graphs import Graph
from sluice.domain.errors import ConversionError
from sluice.domain.features import Imputation
from sluice.training import features
from sluice.training.choices import Choices
from sluice.training.graph import preparation
from sluice.training.graph.draft import Draft
from sluice.training.snapshots import Rows
from tests.unit.training.conftest import make_rows, spec

INPUTS = ["area", "rooms", "lift", "district"]
WAYS = get_args(Imputation)
CASES = [(way, policy) for way in WAYS for policy in ("most_frequent", "ignore", "reject")]
EXTREMES = [1e300, -1e300, 5e-324, -5e-324, 2.0**53 + 2, 0.0, -0.0, 1e-300]
GEOMETRY: dict[str, Any] = {
    "rotations": [
        {"name": "aslant", "columns": ["area", "rooms"], "degrees": [15.0, 45.0, 90.0]},
        {"name": "back", "columns": ["rooms", "area"], "degrees": [-30.0]},
    ],
    "clusters": [
        {"name": "near", "columns": ["area", "rooms"], "k": 5},
        {"name": "sizes", "columns": ["rooms"], "k": 3},
    ],
}
CLUSTERS = {"near": 5, "sizes": 3}


def graph(steps: ColumnTransformer) -> Graph:
    """The steps as a graph whose output is their matrix."""
    draft = Draft()
    matrix = preparation.write(draft, INPUTS, steps)
    return Graph(draft.finish(matrix, steps.transform(make_rows(1)[INPUTS]).shape[1]))


def agrees(steps: ColumnTransformer, written: Graph, frame: pd.DataFrame) -> None:
    parity = agreement(steps.transform(frame), written.predict(frame), 1e-5, 1e-8)
    assert parity.holds, parity


@cache
def fitted(way: Imputation, policy: str, scale: bool = True) -> tuple[ColumnTransformer, Graph]:
    use_case = spec(features={**GEOMETRY, "unseen_category": policy})
    train = Rows.of(use_case, make_rows(1800)).train.inputs
    # Declared, and never trained on.
    train = train.assign(district=train["district"].where(train["district"] != "south", "north"))
    steps = features.pipeline(use_case, Choices(way, CLUSTERS), scale).fit(train)
    return steps, graph(steps)


def seen(column: str) -> st.SearchStrategy[float]:
    return st.sampled_from(make_rows(60)[column].dropna().tolist())


def instances() -> st.SearchStrategy[dict[str, Any]]:
    extreme = st.sampled_from(EXTREMES)
    return st.fixed_dictionaries(
        {
            "area": st.one_of(seen("area"), st.none(), st.floats(0, 500), extreme),
            "rooms": st.one_of(st.integers(0, 12), st.none(), extreme),
            "lift": st.sampled_from([True, False, None]),
            "district": st.sampled_from(["north", "south", "old town", "North", "moon", "", " north", "ünder", None]),
        }
    )


@pytest.mark.parametrize(("way", "policy"), CASES)
@settings(max_examples=30, deadline=None)
@given(drawn=st.lists(instances(), min_size=1, max_size=30))
def test_the_graph_prepares_any_rows_as_the_steps_do(way: Imputation, policy: str, drawn: list[dict[str, Any]]) -> None:
    agrees(*fitted(way, policy), pd.DataFrame.from_records(drawn, columns=INPUTS))


@pytest.mark.parametrize(("way", "policy"), CASES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), missing=st.floats(0, 1), extreme=st.floats(0, 0.5), whole=st.booleans())
def test_the_graph_prepares_thousands_of_rows_as_the_steps_do(
    way: Imputation, policy: str, seed: int, missing: float, extreme: float, whole: bool
) -> None:
    draw = np.random.default_rng(seed)
    frame = make_rows(1000, seed)[INPUTS]
    if whole:
        # Many rows are then as near as each other, to each donor.
        frame["area"] = frame["area"].round(-1)
    for column in INPUTS:
        unusual = EXTREMES if column in ("area", "rooms") else [None, True] if column == "lift" else ["moon", ""]
        choice = pd.Series(draw.choice(np.array(unusual, dtype=object), len(frame)))
        frame[column] = frame[column].astype(object).mask(draw.random(len(frame)) < extreme, choice)
        frame[column] = frame[column].mask(draw.random(len(frame)) < missing, None)
    agrees(*fitted(way, policy), frame)


@pytest.mark.parametrize("way", WAYS)
def test_the_graph_of_steps_that_do_not_scale_agrees_too(way: Imputation) -> None:
    frame = make_rows(500, seed=4)[INPUTS]
    frame.loc[:3, "area"] = [1.7e308, -1.7e308, 1.7e308, np.nan]
    frame.loc[2:5, "rooms"] = [1.7e308, -1.7e308, np.nan, np.nan]
    agrees(*fitted(way, "ignore", scale=False), frame.assign(area=frame["area"].mask(frame["lift"].isna())))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 2, 7])
def test_steps_that_saw_hardly_a_row_agree(way: Imputation, count: int) -> None:
    use_case = spec(features=GEOMETRY)
    frame = make_rows(300)[INPUTS]
    steps = features.pipeline(use_case, Choices(way, CLUSTERS), scale=True).fit(frame.head(count))
    agrees(steps, graph(steps), frame.assign(area=frame["area"].mask(frame["lift"].isna())))


@pytest.mark.parametrize("way", WAYS)
def test_a_column_that_training_never_saw_filled_is_prepared_as_the_steps_do(way: Imputation) -> None:
    steps = features.pipeline(spec(features=GEOMETRY), Choices(way, CLUSTERS), scale=True)
    steps.fit(make_rows(300)[INPUTS].assign(rooms=np.nan))
    agrees(steps, graph(steps), make_rows(300, seed=8)[INPUTS])


@pytest.mark.parametrize("policy", ["most_frequent", "ignore"])
def test_categories_that_training_never_saw_filled_are_prepared_as_the_steps_do(policy: str) -> None:
    steps = features.pipeline(spec(features={"unseen_category": policy}), Choices("median", {}), scale=True)
    steps.fit(make_rows(300)[INPUTS].assign(district=None))
    agrees(steps, graph(steps), make_rows(300, seed=8)[INPUTS])


@pytest.mark.parametrize("way", WAYS)
def test_no_rows_are_prepared_as_none(way: Imputation) -> None:
    _, written = fitted(way, "ignore")
    assert written.predict(make_rows(10)[INPUTS].head(0)).shape == (0, 19)


@pytest.mark.parametrize("way", WAYS)
def test_the_order_and_company_of_rows_change_nothing(way: Imputation) -> None:
    _, written = fitted(way, "most_frequent")
    frame = make_rows(50, seed=2)[INPUTS].mask(np.random.default_rng(0).random((50, 4)) < 0.3)
    together = written.predict(frame)
    alone = np.concatenate([written.predict(frame.iloc[[row]]) for row in range(50)])
    np.testing.assert_allclose(alone, together, rtol=1e-12, atol=1e-12)


def test_a_step_without_a_writer_is_refused(rows: Rows) -> None:
    steps = features.pipeline(spec(), Choices("median", {}), scale=True).fit(rows.train.inputs)
    branch = steps.named_transformers_["numbers"]
    branch.steps[-1] = ("scale", MinMaxScaler())
    with pytest.raises(ConversionError, match="MinMaxScaler has no writer"):
        preparation.write(Draft(), INPUTS, steps)
