from __future__ import annotations

import json

import numpy as np

from sluice.domain.use_case import UseCase
from sluice.training import golden
from sluice.training.families import regressor
from sluice.training.snapshots import Rows
from tests.unit.training.conftest import spec


def test_golden_rows_hold_what_the_fitted_model_says_of_raw_json(flats: UseCase, rows: Rows) -> None:
    model = regressor(flats, "ridge", {}).fit(rows.train.inputs, rows.train.target)
    written = golden.write(flats, model, rows.test.inputs)
    assert 100 <= len(written.instances) <= golden.ROWS + 3
    first = json.loads(written.model_dump_json())["instances"][0]
    kinds = {name: type(value) for name, value in first.items()}
    assert kinds == {"area": float, "rooms": int, "lift": bool, "district": str}
    complete = rows.test.inputs.dropna().head(1)
    np.testing.assert_allclose(written.predictions[0], model.predict(complete)[0])


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
