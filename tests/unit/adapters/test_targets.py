from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sluice.adapters import targets
from sluice.domain.errors import DataError
from sluice.domain.use_case import UseCase


def of(target: dict[str, Any], **settings: Any) -> UseCase:
    """A use case that predicts a column of a kind."""
    return UseCase.model_validate(
        {
            "name": "kinds",
            "title": "Kinds",
            "target": "y",
            "owner": {"name": "Tests", "alerts": ("ops@example.test",)},
            "columns": ({"name": "x", "type": "number"}, {"name": "y", **target}),
            "training": {"families": {"ridge": {}}},
            "gate": {"thresholds": {"accuracy": {"min": 0.9}}},
            "serving": {"example": {"x": 1.0}},
            **settings,
        }
    )


NUMBER = of({"type": "integer"}, task="regression", gate={"thresholds": {"r2": {"min": 0.9}}})
FLAG = of({"type": "boolean"}, task="binary", positive_label="true")
PAIR = of({"type": "category", "categories": ("yes", "no")}, task="binary", positive_label="yes")
MANY = of({"type": "category", "categories": ("b", "c", "a")}, task="multiclass")


@pytest.mark.parametrize(
    ("use_case", "values", "encoded"),
    [
        (NUMBER, pd.Series([3, 1]), [3, 1]),
        (FLAG, pd.Series([True, False, True]), [1, 0, 1]),
        (FLAG, pd.Series([True, False], dtype=object), [1, 0]),
        (FLAG, pd.Series([True, False], dtype="boolean"), [1, 0]),
        (PAIR, pd.Series(["no", "yes"]), [0, 1]),
        (PAIR, pd.Series(["no", "yes"], dtype="string"), [0, 1]),
        (PAIR, pd.Series(["no", "yes"], dtype="category"), [0, 1]),
        (MANY, pd.Series(["a", "b", "c"]), [2, 0, 1]),
        (MANY, pd.Series([], dtype=object), []),
    ],
    ids=["number", "boolean", "objects", "nullable", "positive-last", "strings", "categorical", "as-declared", "none"],
)
def test_a_number_stays_and_a_class_is_its_position(
    use_case: UseCase, values: pd.Series[Any], encoded: list[float]
) -> None:
    found = targets.encode(use_case, values)
    assert found.dtype == np.float64
    assert found.tolist() == encoded


@pytest.mark.parametrize(
    ("use_case", "stray"),
    [(PAIR, "maybe"), (PAIR, None), (MANY, "B"), (FLAG, None)],
    ids=["new", "gap", "case", "flag"],
)
def test_a_class_that_the_spec_does_not_know_is_said(use_case: UseCase, stray: str | None) -> None:
    known = True if use_case is FLAG else use_case.classes[0]
    with pytest.raises(DataError, match=f"the target holds {stray!r}, which is none of its classes") as raised:
        targets.encode(use_case, pd.Series([known, stray], dtype=object))
    assert raised.value.where == "kinds.y"
    assert ", ".join(use_case.classes) in raised.value.action
