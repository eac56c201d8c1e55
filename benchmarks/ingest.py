"""Landing a file against a bare COPY of it, side by side: `python benchmarks/ingest.py [--rows N] [--rounds N]`.

Runs on the Postgres server of SLUICE_WAREHOUSE_DSN, on this machine, in a database of its own that is dropped
at the end. CPU is the client's and the server's; a ratio is of the smallest of all rounds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
from psycopg2 import sql

from sluice import registry
from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.ingestion import batches, samples, sources, tables
from sluice.settings import settings


def main() -> None:
    """Print rows per second and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    use_case = registry.find(settings().use_cases).get("housing")
    folder = settings().use_cases / use_case.name
    with tempfile.TemporaryDirectory() as scratch, database() as dsn:
        warehouse = Warehouse(dsn, settings().sql)
        migrate(dsn, settings().sql / "migrations")
        tables.ensure(warehouse, use_case)
        plain, stray = Path(scratch) / "plain.csv", Path(scratch) / "stray.csv"
        samples.write(plain, samples.read(folder), use_case.columns, rows=arguments.rows)
        spoil(plain, stray)
        contenders = {
            "bare COPY": lambda: copy(dsn, plain, use_case),
            "land": lambda: land(warehouse, use_case, plain),
            "land, tolerantly": lambda: land(warehouse, use_case, stray),
        }
        report(contenders, arguments.rows, arguments.rounds, dsn)


def report(contenders: dict[str, Callable[[], None]], rows: int, rounds: int, dsn: str) -> None:
    """Time the contenders in turns, and print what came out."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            before, start = cpu(dsn), time.perf_counter()
            run()
            seen[name].append((time.perf_counter() - start, cpu(dsn) - before))
    least = {name: tuple(map(min, zip(*times, strict=True))) for name, times in seen.items()}
    wall0, cpu0 = least["bare COPY"]
    print(f"{rows} rows, {rounds} rounds in turns; smallest time of each")
    for name, (wall, used) in least.items():
        speed = f"{rows / wall:>10,.0f} rows/s"
        print(f"{name:18} {speed}  wall {wall:6.2f} s {wall / wall0:5.2f}x  cpu {used:6.2f} s {used / cpu0:5.2f}x")


def copy(dsn: str, path: Path, use_case: UseCase) -> None:
    """The floor: the rows into a table with nothing but their columns."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bare; CREATE TABLE bare (LIKE landing.housing)")
        cursor.execute("ALTER TABLE bare DROP COLUMN _batch_id, DROP COLUMN _row")
        with path.open("rb") as file:
            cursor.copy_expert("COPY bare FROM STDIN WITH (FORMAT csv, HEADER)", file, 1 << 20)


def land(warehouse: Warehouse, use_case: UseCase, path: Path) -> None:
    """What Sluice does: hash, ledger, partition, checks, index."""
    with sources.resolve(use_case, path.parent, path.name) as source:
        batches.land(warehouse, use_case, replace(source, sha256=f"{time.time_ns()}"))


def spoil(path: Path, copy: Path) -> None:
    """The same rows with one space in the last of them."""
    text = path.read_bytes().rstrip()
    copy.write_bytes(text + b" \n")


def cpu(dsn: str) -> float:
    """CPU seconds so far of this process, and of the server's sessions that have ended."""
    with closing(psycopg2.connect(dsn)) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    if postmaster is None:
        raise SystemExit("the server is not on this machine")
    time.sleep(0.2)
    server = postmaster.cpu_times()
    own = os.times()
    return float(server.children_user + server.children_system + own.user + own.system)


@contextmanager
def database() -> Iterator[str]:
    """A database on the warehouse's server for as long as the block lasts."""
    dsn = settings().warehouse_dsn
    name = f"sluice_benchmark_{os.getpid()}"
    with closing(psycopg2.connect(dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield urlsplit(dsn)._replace(path=f"/{name}").geturl()
            finally:
                cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


if __name__ == "__main__":
    main()
