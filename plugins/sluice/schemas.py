"""The JSON schemas that editors and the serving code read, generated from `domain`.

`python -m sluice.schemas` writes them; a test says when they are stale.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from sluice.domain.contract import Contract
from sluice.domain.use_case import UseCase
from sluice.settings import settings


def generated() -> dict[Path, str]:
    """Each schema file and what it must hold."""
    places: dict[Path, type[BaseModel]] = {
        settings().use_cases / "schema.json": UseCase,
        settings().service / "contract.schema.json": Contract,
    }
    return {path: json.dumps(model.model_json_schema(), indent=2) + "\n" for path, model in places.items()}


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
