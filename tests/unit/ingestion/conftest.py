"""A small use case with a column of every type, and files for it."""

from __future__ import annotations

import hashlib
import importlib
import json
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sluice.domain.use_case import UseCase
from sluice.ingestion.sources import SourceFile

NAMES = count(1)

HEADER = "meter,reading,floor,heated,fuel,at"
ROW = "7,20.5,2,true,gas,2024-05-01T10:00:00Z"

SPEC: dict[str, Any] = {
    "title": "Heating",
    "task": "regression",
    "target": "reading",
    "owner": {"name": "Tests", "alerts": ["tests@example.test"]},
    "columns": [
        {"name": "meter", "type": "integer", "role": "id"},
        {"name": "reading", "type": "number", "range": [0, 100]},
        {"name": "floor", "type": "integer", "range": [0, 30], "nullable": True},
        {"name": "heated", "type": "boolean", "nullable": True},
        {"name": "fuel", "type": "category", "categories": ["gas", "oil"], "nullable": True},
        {"name": "at", "type": "timestamp", "role": "ignore", "nullable": True},
    ],
    "quality": {"max_bad_share": 0.5, "min_rows": 1},
    "training": {"families": {"ridge": {"alpha": 1}}, "split": {"identity": ["meter"]}},
    "gate": {"thresholds": {"r2": {"min": 0}}},
    "serving": {"example": {"floor": 1, "heated": True, "fuel": "gas"}},
}


@pytest.fixture(scope="session", autouse=True)
def _great_expectations() -> None:
    """Imports Great Expectations, which uses what its own dependencies have deprecated, before warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("great_expectations.expectations.core")


@pytest.fixture
def make_use_case() -> Callable[..., UseCase]:
    """A use case of a name of its own, so that tests can share a warehouse; keywords replace parts of the spec."""

    def make(name: str | None = None, **changes: Any) -> UseCase:
        document = SPEC | {"name": name or f"heating_{next(NAMES)}"} | changes
        return UseCase.model_validate_json(json.dumps(document))

    return make


@pytest.fixture
def heating(make_use_case: Callable[..., UseCase]) -> UseCase:
    """The small use case as it is."""
    return make_use_case()


@pytest.fixture
def make_source(tmp_path: Path) -> Callable[..., SourceFile]:
    """A source file from rows of text."""
    numbers = count(1)

    def make(*rows: str, header: str = HEADER) -> SourceFile:
        path = tmp_path / f"source_{next(numbers)}.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return hashed(path)

    return make


def hashed(path: Path) -> SourceFile:
    """A file as a source."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return SourceFile(path.as_uri(), path, digest, len(content), path.stat().st_mtime_ns)
