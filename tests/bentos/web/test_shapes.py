"""What the description says of a request is what the service does with it, under every policy."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tabular.problem import ProblemError
from tabular.record import labels
from tabular.releases.contract import Contract
from tabular.releases.schema import Schema
from tabular.web.shapes import shapes
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, MULTICLASS, Recipe

RECIPES = {
    "usual": Recipe(),
    "nothing may be missing": Recipe().with_limits(missing="reject"),
    "anything may be missing": replace(Recipe(), nullable=tuple(EXAMPLE)),
    "unknown fields are ignored": Recipe().with_limits(unknown_fields="ignore"),
    "unseen categories are ignored": replace(Recipe(), nullable=("place",)).with_limits(unseen_category="ignore"),
}
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "an end of a range": {"income": 20, "rooms": 1},
    "beyond a range": {"income": 20.000001},
    "below a range": {"rooms": 0},
    "infinite": {"income": float("inf")},
    "not a number": {"income": "8.5"},
    "no number but true": {"rooms": True},
    "whole with a point": {"rooms": 3.0},
    "not whole": {"rooms": 2.5},
    "huge": {"rooms": 10**400},
    "one for true": {"furnished": 1},
    "unseen": {"place": "MOON"},
    "empty": {"place": ""},
    "as long as may be": {"place": "m" * 200},
    "longer": {"place": "m" * 201},
    "with a control character": {"place": "INLAND\x00"},
    "null for a number": {"rooms": None},
    "null for a category": {"place": None},
    "null for all": dict.fromkeys(EXAMPLE),
    "unknown": {"colour": "red"},
    "list": {"income": [8.5]},
}
UUID = "01985C1E-7a2b-7c3d-9e4f-5a6b7c8d0000"
LABELS: dict[str, dict[str, Any]] = {
    "by prediction": {"prediction_id": UUID, "label": 160},
    "by request": {"request_id": "order-7", "label": 0, "index": 65535},
    "place with a point": {"request_id": "order-7", "label": 0, "index": 2.0},
    "place beyond": {"request_id": "order-7", "label": 0, "index": 65536},
    "place that is true": {"request_id": "order-7", "label": 0, "index": True},
    "place of a prediction": {"prediction_id": UUID, "label": 0, "index": 0},
    "both ids": {"prediction_id": UUID, "request_id": "order-7", "label": 0},
    "no id": {"label": 0},
    "id in braces": {"prediction_id": f"{{{UUID}}}", "label": 0},
    "odd request": {"request_id": "order 7", "label": 0},
    "no label": {"request_id": "order-7"},
    "beyond the range": {"request_id": "order-7", "label": 160.1},
    "class": {"request_id": "order-7", "label": "high"},
    "title of a class": {"request_id": "order-7", "label": "Dear"},
    "null": {"request_id": "order-7", "label": None},
    "moment": {"request_id": "order-7", "label": 1, "observed_at": "2026-05-01T12:00:00.5+02:00"},
    "moment without a zone": {"request_id": "order-7", "label": 1, "observed_at": "2026-05-01T12:00:00"},
    "moment in another writing": {"request_id": "order-7", "label": 1, "observed_at": "2026-05-01t12:00:00z"},
    "moment of colons": {"request_id": "order-7", "label": 1, "observed_at": "2026-05-01T::::::::Z"},
    "unknown member": {"request_id": "order-7", "label": 1, "colour": "red"},
}


def promised(recipe: Recipe) -> Contract:
    return Contract.model_validate_json(json.dumps(bundles.contract(recipe)))


def described(contract: Contract, name: str) -> Draft202012Validator:
    schemas = shapes(contract)
    return Draft202012Validator(schemas[name] | {"components": {"schemas": schemas}})


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_an_instance_is_let_in_where_the_description_says_so(recipe: str, change: str) -> None:
    contract, instance = promised(RECIPES[recipe]), EXAMPLE | CHANGES[change]
    try:
        Schema(contract).check({"instances": [instance]})
        let_in = True
    except ProblemError:
        let_in = False
    assert described(contract, "Request").is_valid({"instances": [instance]}) is let_in
    assert described(contract, "Instance").is_valid(instance) is let_in


@pytest.mark.parametrize("told", LABELS)
@pytest.mark.parametrize("recipe", [Recipe(), MULTICLASS], ids=["number", "classes"])
def test_a_label_is_taken_where_the_description_says_so(recipe: Recipe, told: str) -> None:
    contract, document = promised(recipe), {"labels": [LABELS[told]]}
    try:
        labels.read(json.dumps(document).encode(), contract)
        taken = True
    except ProblemError:
        taken = False
    assert described(contract, "Labels").is_valid(document) is taken


def test_more_instances_than_one_request_may_hold_are_described_as_too_many() -> None:
    valid = described(promised(Recipe()), "Request").is_valid
    assert [valid({"instances": [EXAMPLE] * size}) for size in (0, 1, 50, 51)] == [False, True, True, False]
