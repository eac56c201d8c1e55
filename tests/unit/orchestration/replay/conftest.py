"""A small use case with a sample, whose world can be changed, and a scenario of a few days."""

from __future__ import annotations

import importlib
import json
import warnings
from typing import Any

import pytest

from sluice.domain.sample import Sample
from sluice.domain.use_case import UseCase
from sluice.orchestration.replay.days import Days
from sluice.orchestration.replay.scenario import Scenario

SPEC: dict[str, Any] = {
    "name": "rooms_to_let",
    "title": "Rooms to let",
    "task": "regression",
    "target": "rent",
    "owner": {"name": "Tests", "alerts": ["tests@example.test"]},
    "columns": [
        {"name": "area", "type": "number", "range": [0, 500]},
        {"name": "age", "type": "number", "range": [0, 300], "nullable": True},
        {"name": "storeys", "type": "number", "range": [0, 100]},
        {"name": "district", "type": "category", "categories": ["old town", "north", "south"]},
        {"name": "rent", "type": "number", "range": [0, 100000]},
    ],
    "quality": {"min_rows": 100},
    "training": {"families": {"ridge": {"alpha": {"low": 0.01, "high": 1.0, "log": True}}}, "trials": 1, "folds": 2},
    "gate": {"thresholds": {"r2": {"min": 0.5}}, "min_test_rows": 50},
    "serving": {"missing": "impute", "example": {"area": 60, "age": 20, "storeys": 4, "district": "north"}},
    "monitoring": {"min_rows": 50, "performance": {"days": 2, "min_labels": 50}},
}

SAMPLE: dict[str, Any] = {
    "rows": 1000,
    "seed": 1,
    "columns": {
        "area": {"normal": [80, 20], "within": [10, 400], "decimals": 1},
        "age": {"normal": [60, 15], "within": [0, 300], "decimals": 0},
        "storeys": {"normal": [10, 2], "within": [1, 90], "decimals": 0},
        "district": {"shares": {"old town": 1, "north": 2, "south": 2}},
    },
    "target": {
        "column": "rent",
        "base": 100,
        "effects": [
            {"column": "area", "at": [0, 400], "add": [0, 4000]},
            {"column": "district", "add": {"old town": 150}},
        ],
        "noise": 40,
        "decimals": 0,
    },
}

SCENARIO: dict[str, Any] = {
    "title": "A test",
    "rows_per_day": 400,
    "predictions_per_day": 300,
    "label_delay_days": 1,
    "extract_days": 2,
    "trials": 1,
}


@pytest.fixture(scope="session")
def great_expectations() -> None:
    """Imports Great Expectations, which uses what its own dependencies have deprecated, before warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("great_expectations.expectations.core")


@pytest.fixture(scope="session")
def lets() -> UseCase:
    return UseCase.model_validate_json(json.dumps(SPEC))


def scenario(**fields: Any) -> Scenario:
    """The small scenario, with some fields changed."""
    return Scenario.model_validate_json(json.dumps(SCENARIO | fields))


def world(use_case: UseCase, *changes: dict[str, Any], seed: int = 0, **fields: Any) -> Days:
    """The days of the small scenario, with some changes of the world."""
    made = scenario(changes=list(changes), **fields)
    return Days(made.over(use_case), Sample.model_validate(SAMPLE, strict=False), made, seed)
