from __future__ import annotations

import json

import numpy as np
import pytest

from sluice.domain.errors import DataError
from sluice.domain.measures import Task
from sluice.domain.use_case import UseCase
from sluice.training import families, golden
from sluice.training.snapshots import Rows
from tests.unit.training.conftest import spec
from tests.unit.training.trainings import training


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_golden_rows_hold_what_the_fitted_model_says_of_raw_json(task: Task) -> None:
    known = training(task)
    written = golden.write(known.use_case, known.candidate.model, known.rows.test.inputs)
    assert 90 <= len(written.instances) <= golden.ROWS + 4
    first = json.loads(written.model_dump_json())["instances"][0]
    kinds = {name: type(value) for name, value in first.items()}
    assert kinds == {"area": float, "rooms": int, "lift": bool, "district": str}
    complete = known.rows.test.inputs.dropna().head(1)
    said = families.scores(known.use_case, known.candidate.model, complete)
    np.testing.assert_allclose(written.predictions[0], said.reshape(-1))
    assert len(written.predictions[0]) == max(1, len(known.use_case.classes))


def test_every_nullable_column_is_missing_somewhere(flats: UseCase, rows: Rows) -> None:
    full = rows.test.inputs.dropna()
    for inputs in (rows.test.inputs, full):
        picked = golden.choose(flats, inputs)
        empty = {name for instance in picked for name, value in instance.items() if value is None}
        assert empty == {"rooms", "lift", "district"}


def test_nothing_is_missing_where_the_endpoint_refuses_missing_values(rows: Rows) -> None:
    picked = golden.choose(spec(serving={"missing": "reject"}), rows.test.inputs)
    assert picked
    assert all(value is not None for instance in picked for value in instance.values())


def test_a_category_is_unseen_somewhere_unless_the_endpoint_refuses_it(rows: Rows) -> None:
    for policy, times in (("ignore", 1), ("most_frequent", 1), ("reject", 0)):
        picked = golden.choose(spec(features={"unseen_category": policy}), rows.test.inputs)
        assert sum(instance["district"] == golden.UNSEEN for instance in picked) == times


def test_rows_with_gaps_alone_are_enough_where_the_endpoint_takes_them(flats: UseCase, rows: Rows) -> None:
    gaps = rows.test.inputs[rows.test.inputs.isna().any(axis=1)]
    assert len(golden.choose(flats, gaps)) >= len(gaps)


def test_rows_that_the_endpoint_would_all_refuse_are_said(rows: Rows) -> None:
    gaps = rows.test.inputs[rows.test.inputs.isna().any(axis=1)]
    known = training("regression")
    with pytest.raises(DataError, match="no held-out row is complete"):
        golden.write(spec(serving={"missing": "reject"}), known.candidate.model, gaps)
