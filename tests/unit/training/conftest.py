"""A small use case with every kind of column, and rows that it can learn from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from sluice.domain.use_case import UseCase
from sluice.training.snapshots import Rows

SPEC: dict[str, Any] = {
    "name": "flats",
    "title": "Flats",
    "task": "regression",
    "target": "rent",
    "owner": {"name": "Tests", "alerts": ["tests@example.test"]},
    "columns": [
        {"name": "area", "type": "number", "range": [5, 500], "unit": "m2", "sensitive": "hash"},
        {"name": "rooms", "type": "integer", "range": [0, 30], "nullable": True},
        {"name": "lift", "type": "boolean", "nullable": True},
        {"name": "district", "type": "category", "categories": ["north", "south", "old town"], "nullable": True},
        {"name": "rent", "type": "number", "range": [0, 100000], "unit": "EUR"},
        {"name": "seen_at", "type": "timestamp", "role": "ignore", "nullable": True},
    ],
    "features": {
        "unseen_category": "ignore",
        "ratios": [{"name": "area_per_room", "numerator": "area", "denominator": "rooms"}],
    },
    "training": {
        "families": {
            "ridge": {"alpha": {"low": 0.01, "high": 10.0, "log": True}},
            "hist_gradient_boosting": {
                "learning_rate": {"low": 0.05, "high": 0.3, "log": True},
                "max_iter": {"low": 10, "high": 30},
                "max_leaf_nodes": [7, 15],
                "min_samples_leaf": 10,
            },
        },
        "trials": 8,
        "folds": 3,
        "target_transform": "log",
        "seed": 3,
    },
    "gate": {"thresholds": {"r2": {"min": 0.5}}, "min_test_rows": 50},
    "serving": {
        "missing": "impute",
        "example": {"area": 60.0, "rooms": 3, "lift": True, "district": "north"},
    },
    "monitoring": {"sample_rows": 200},
}


def spec(**changes: dict[str, Any]) -> UseCase:
    """The small use case, with some keys of some sections changed."""
    document = {**SPEC, **{section: {**SPEC[section], **keys} for section, keys in changes.items()}}
    return UseCase.model_validate_json(json.dumps(document))


def make_rows(count: int, seed: int = 0) -> pd.DataFrame:
    """Rows as a snapshot holds them."""
    draw = np.random.default_rng(seed)
    area = draw.uniform(15, 200, count).round(1)
    rooms = np.maximum(0, (area / 25 + draw.normal(0, 1, count)).round())
    lift = draw.random(count) < 0.4
    district = draw.choice(["north", "south", "old town"], count)
    rent = 200 + 11 * area + 90 * lift + 150 * (district == "old town") + draw.normal(0, 60, count)
    identity = [hashlib.md5(str(i).encode(), usedforsecurity=False).hexdigest() for i in range(count)]
    share = np.array([int(i[:8], 16) / 2**32 for i in identity])
    return pd.DataFrame(
        {
            "area": area,
            "rooms": np.where(draw.random(count) < 0.1, np.nan, rooms),
            "lift": pd.Series(lift, dtype=object).where(draw.random(count) > 0.05, None),
            "district": pd.Series(district, dtype=object).where(draw.random(count) > 0.05, None),
            "rent": np.maximum(rent, 1),
            "_identity": identity,
            "_part": np.where(share < 0.2, "test", np.where(share < 0.3, "calibration", "train")),
        }
    )


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Unpinned OpenMP makes boosting many times slower on a busy machine."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session")
def flats() -> UseCase:
    return spec()


@pytest.fixture(scope="session")
def rows(flats: UseCase) -> Rows:
    return Rows.of(flats, make_rows(800))
