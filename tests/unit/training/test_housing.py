"""The family that the public data is served by reaches the quality its gate asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sluice.adapters.bundles import Graph, agreement
from sluice.adapters.metrics import measure
from sluice.domain.use_case import UseCase
from sluice.training import graph
from sluice.training.families import FAMILIES, regressor


@pytest.mark.real_data
def test_boosting_where_the_search_begins_explains_the_public_housing_data(housing: UseCase, real_data: Path) -> None:
    assert housing.source.real_data is not None
    frame = pd.read_csv(real_data / housing.source.real_data)
    names = [column.name for column in housing.inputs]
    held_out = np.random.default_rng(0).random(len(frame)) < 0.2
    inputs, target = frame[names], frame[housing.target].to_numpy(dtype=np.float64)
    start = FAMILIES["hist_gradient_boosting"].start
    model = regressor(housing, "hist_gradient_boosting", start).fit(inputs[~held_out], target[~held_out])
    predicted = Graph(graph.write(names, model)).predict(inputs)
    assert agreement(model.predict(inputs), predicted, 1e-5, 1e-8).holds
    measured = measure(target[held_out], predicted[held_out])
    for name, bound in housing.gate.thresholds.items():
        assert (bound.min or -np.inf) <= measured[name] <= (bound.max or np.inf)
    assert measured["r2"] >= 0.82
