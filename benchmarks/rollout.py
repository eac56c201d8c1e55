"""Promotions and rollbacks in a row, under load: `python benchmarks/rollout.py [--moves N] [--workers N]`.

A Postgres server, an MLflow server and a Bento server with several worker processes, all of this benchmark's own and
gone with it. Clients that keep their connections ask all the time, while two releases follow each other there and
back. A move is timed from its order (the alias, the copy and the ledger are still to be written) to the moment when
the heartbeat of every process shows the release. A process looks once a second, so a second is what most moves take.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
from pathlib import Path

from throwaway import server

from sluice.adapters.migrations import migrate
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.settings import settings
from tests.bentos import servers
from tests.bentos.champions import Platform, moved


def main() -> None:
    """Print the failed requests and how long the moves took; fail where a request did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="sluice-rollout-") as scratch, server("warehouse") as addresses:
        folder = Path(scratch)
        migrate(addresses["warehouse"], settings().sql / "migrations")
        (folder / "mlflow").mkdir()
        with servers.mlflow(folder / "mlflow") as registry:
            platform = Platform(
                Warehouse(addresses["warehouse"], settings().sql),
                Tracking(registry.url),
                ObjectStore((folder / "store").as_uri()),
                folder,
            )
            environment = {
                "MLFLOW_TRACKING_URI": registry.url,
                "SLUICE_WAREHOUSE_DSN": addresses["warehouse"],
                "SLUICE_WORKERS": str(arguments.workers),
                "SLUICE_POLL_SECONDS": "1",
            }
            service = servers.Service(folder / "home", environment).start()
            try:
                load, seconds = moved(platform, service, arguments.workers, arguments.moves, arguments.clients)
            finally:
                service.kill()
    print(f"{arguments.moves} moves, {arguments.workers} worker processes, {arguments.clients} clients")
    print(f"requests: {load.answered} answered, {len(load.failed)} failed")
    for failure in load.failed[:5]:
        print(f"  {failure}")
    [*_, p95] = statistics.quantiles(seconds, n=20, method="inclusive")
    print(
        "seconds from the order to every heartbeat: "
        f"min {min(seconds):.2f}, median {statistics.median(seconds):.2f}, p95 {p95:.2f}, max {max(seconds):.2f}"
    )
    if load.failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
