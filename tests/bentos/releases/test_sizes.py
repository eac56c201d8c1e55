"""Sizes: what keeps the contract fits, however it is written; much more than that does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tabular import ids
from tabular.record import labels
from tabular.releases.contract import Contract
from tabular.releases.schema import Schema
from tabular.releases.sizes import ANY
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, MULTICLASS, Recipe

MANY = 500
LONGEST = {"income": 1.2345678901234567, "rooms": 50, "furnished": False, "place": "NEAR BAY"}
OPEN = {"unseen_category": "ignore"}


def contract(recipe: Recipe, **limits: Any) -> Contract:
    document = bundles.contract(recipe.with_limits(max_instances=MANY, **limits))
    return Contract.model_validate_json(json.dumps(document))


@pytest.mark.parametrize("indent", [None, 2, 8, "\t"])
@pytest.mark.parametrize(
    ("limits", "row"),
    [
        ({}, EXAMPLE),
        ({}, LONGEST),
        (OPEN, LONGEST | {"place": "\N{GRINNING FACE}" * 200}),
        ({"unknown_fields": "ignore"}, LONGEST | {"note": "x" * 900}),
    ],
    ids=["example", "longest", "unseen category", "unknown field"],
)
def test_whatever_keeps_the_contract_fits(indent: int | str | None, limits: dict[str, Any], row: Any) -> None:
    schema = Schema(contract(Recipe(), **limits))
    request = json.dumps({"instances": [row] * MANY}, indent=indent).encode()
    assert len(schema.instances(request)) == MANY
    # Without the part that any body has.
    assert len(request) < schema.sizes.instances - ANY + 1000
    one = json.dumps(row, indent=indent).encode()
    assert len(schema.instance(one)) == 1
    assert len(one) < schema.sizes.instance - ANY


@pytest.mark.parametrize("recipe", [Recipe(), MULTICLASS], ids=["number", "classes"])
@pytest.mark.parametrize("by_prediction", [True, False])
def test_as_many_labels_as_one_request_may_hold_fit(recipe: Recipe, by_prediction: bool) -> None:
    known = contract(recipe)
    label: Any = known.output.labels[-1].value if known.output.labels else 1.2345678901234567
    owners: list[dict[str, Any]] = (
        [{"prediction_id": each} for each in ids.predictions(ids.fresh(), MANY)]
        if by_prediction
        else [{"request_id": "r" * 128, "index": index} for index in range(MANY)]
    )
    observed = {"label": label, "observed_at": "2026-05-01T12:00:00.123456789+00:00"}
    body = json.dumps({"labels": [owner | observed for owner in owners]}, indent=8).encode()
    assert len(labels.read(body, known)) == MANY
    assert len(body) < Schema(known).sizes.labels - ANY + 1000


def test_much_more_does_not() -> None:
    document = bundles.contract(Recipe())
    sizes = Schema(Contract.model_validate_json(json.dumps(document))).sizes
    assert sizes.instance < 70_000
    assert sizes.instances < 100_000
    assert sizes.labels < 100_000
