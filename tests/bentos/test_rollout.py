"""Promotions and rollbacks one after another, with several worker processes: no request fails, all are quick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from tests.bentos.bundles import USE_CASE
from tests.bentos.champions import Platform, moved
from tests.bentos.servers import Mlflow, Service

WORKERS, MOVES, CLIENTS = 2, 6, 8


def test_moves_in_a_row_lose_no_request_and_reach_every_process_in_seconds(
    serve: Callable[..., Service], registry: Mlflow, warehouse: Warehouse, tmp_path: Path
) -> None:
    platform = Platform(warehouse, Tracking(registry.url), ObjectStore((tmp_path / "store").as_uri()), tmp_path)
    service = serve(
        MLFLOW_TRACKING_URI=registry.url,
        SLUICE_WAREHOUSE_DSN=warehouse.dsn,
        SLUICE_WORKERS=str(WORKERS),
        SLUICE_POLL_SECONDS="1",
    )

    load, seconds = moved(platform, service, WORKERS, MOVES, CLIENTS)

    assert load.failed == []
    assert load.answered > 100
    assert len(seconds) == MOVES
    assert max(seconds) < 3, seconds
    ledger = warehouse.rows(
        "SELECT action FROM ml.deployments WHERE use_case = %(use_case)s ORDER BY deployment_id", {"use_case": USE_CASE}
    )
    assert [row["action"] for row in ledger][1:] == ["promote", "rollback"] * (MOVES // 2)
