"""Houses to slip something past: each test has one of its own, on real services."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.settings import settings
from tests.bentos.servers import Mlflow
from tests.conftest import STATEMENTS, Server
from tests.integration.evasions.promotions import GRANT, RENT, House, flats, grants

NUMBERS = count(1)
SNAPSHOT = """
INSERT INTO ml.snapshots
    (snapshot_id, use_case, uri, sha256, rows, available_rows, train_rows, calibration_rows, test_rows, batch_ids)
VALUES ('snap', 'rent', '', '', 1, 1, 1, 0, 0, '{}')
"""


@pytest.fixture
def houses(
    postgres_server: Server, registry: Mlflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], House]]:
    """Builds the house of `rent` or of `grants`, with sound rows in it."""

    def setting(name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        settings.cache_clear()

    def build(of: str) -> House:
        number = next(NUMBERS)
        document: dict[str, Any] = copy.deepcopy(RENT if of == "rent" else GRANT) | {"name": f"{of}_{number}"}
        database = postgres_server.create(f"evasion_{number}", "migrated")
        warehouse = Warehouse(database, STATEMENTS)
        warehouse.execute(SNAPSHOT)
        setting("SLUICE_USE_CASES", str(tmp_path / "use_cases"))
        setting("SLUICE_WAREHOUSE_DSN", database)
        setting("MLFLOW_TRACKING_URI", registry.url)
        # One that is away is found to be away at once.
        setting("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        setting("SLUICE_OBJECT_STORE", (tmp_path / "store").as_uri())
        setting("SLUICE_CONTAINER_ENGINE", "none")
        setting("SLUICE_BENTO_STORE", str(tmp_path / "bentoml"))
        use_case = UseCase.model_validate(document, strict=False)
        house = House(document, use_case, tmp_path, warehouse, Tracking(registry.url), registry.artifacts, setting)
        house.demand({})
        house.hold(flats() if of == "rent" else grants())
        return house

    yield build
    settings.cache_clear()
