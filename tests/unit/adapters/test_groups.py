"""Every held-out row belongs to one group, and a group's code never changes."""

import re

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.groups import Group, groups
from sluice.domain.columns import Column


def sizes(found: tuple[Group, ...]) -> dict[str, int]:
    return {group.name: int(group.rows.sum()) for group in found}


def test_a_category_has_a_group_for_each_declared_value_and_for_missing() -> None:
    home = Column(name="home", type="category", categories=("own", "rent", "ship"), nullable=True)

    found = groups(home, (), pd.Series(["rent", "own", None, "rent"]))

    assert sizes(found) == {"home = own": 1, "home = rent": 2, "home = ship": 0, "home is missing": 1}
    assert [group.code for group in found] == ["own", "rent", "ship", "missing"]


def test_a_value_that_the_spec_no_longer_knows_is_still_a_group() -> None:
    home = Column(name="home", type="category", categories=("own", "rent"))

    assert sizes(groups(home, (), pd.Series(["own", "tent"]))) == {"home = own": 1, "home = rent": 0, "home = tent": 1}


@pytest.mark.parametrize(
    "values",
    [pd.Series([True, False, True]), pd.Series([True, False, True, None], dtype=object)],
    ids=["complete", "with gaps"],
)
def test_a_boolean_has_two_groups(values: pd.Series) -> None:  # type: ignore[type-arg]
    found = sizes(groups(Column(name="lift", type="boolean", nullable=True), (), values))

    assert found["lift = true"] == 2
    assert found["lift = false"] == 1
    assert found.get("lift is missing", 0) == len(values) - 3


def test_bands_meet_at_their_edges() -> None:
    income = Column(name="income", type="number", nullable=True)

    found = groups(income, (-1.5, 0, 20000), pd.Series([-2.0, -1.5, -0.1, 0, 19999.9, 20000, np.nan]))

    assert sizes(found) == {
        "income < -1.5": 1,
        "-1.5 <= income < 0": 2,
        "0 <= income < 20,000": 2,
        "income >= 20,000": 1,
        "income is missing": 1,
    }
    assert [group.code for group in found] == [
        "below_minus_1_5",
        "minus_1_5_to_0",
        "0_to_20000",
        "from_20000",
        "missing",
    ]


def test_codes_are_letters_and_digits_and_differ() -> None:
    values = ("NEAR BAY", "<1H OCEAN", "1H OCEAN", "missing", "день", "ночь")
    ocean = Column(name="ocean", type="category", categories=values)

    codes = [group.code for group in groups(ocean, (), pd.Series(values))]

    assert codes[0] == "NEAR_BAY"
    assert len(set(codes)) == len(values)
    assert "missing" not in codes
    assert all(re.fullmatch(r"\w+", code, re.ASCII) for code in codes)


def test_a_code_does_not_depend_on_the_rows() -> None:
    values = ("<1H OCEAN", "1H OCEAN")
    ocean = Column(name="ocean", type="category", categories=values)

    here, there = (groups(ocean, (), pd.Series(rows)) for rows in (["1H OCEAN"], ["<1H OCEAN", "1H OCEAN"]))

    assert [group.code for group in here] == [group.code for group in there]
