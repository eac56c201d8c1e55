"""The daily drift check against Evidently on all rows, side by side: `make bench BENCH=drift`.

Both look at the same rows of the same batches in a Postgres server of the benchmark's own, in turns, each time in a
process that does nothing else. CPU is that process's, imports included, and the server's. Evidently is asked as its
documentation shows, by its preset for drift with tests and page, and is told the same distances and thresholds. Its
rows come once as pandas reads them, and once as Arrow, the fastest way there is here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import drift_batches
import psutil
import psycopg2
from throwaway import server

from sluice import registry
from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.settings import settings

if TYPE_CHECKING:
    import pandas as pd

OURS, THEIRS, FASTER = "the daily check", "Evidently on all rows", "the same, by Arrow"
VERSION = 1


@dataclass(frozen=True)
class Run:
    """One side's look at one batch.

    Attributes:
        drifted: Column to whether it has.
        imports: CPU seconds that importing took.
        cpu: CPU seconds of the process and of the server together.
        wall: Seconds from start to end.
        peak_mb: Most memory that the process held.
    """

    drifted: dict[str, bool | None]
    imports: float
    cpu: float
    wall: float
    peak_mb: float


def main() -> None:
    """Print CPU, memory and verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="current rows")
    parser.add_argument("--learned", type=int, default=1_000_000, help="training rows")
    parser.add_argument("--use-case", default="loan")
    parser.add_argument("--scenario", action="append", help="of all of them only this; may be given again")
    parser.add_argument("--look", nargs=3, metavar=("SIDE", "FOLDER", "BATCH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    use_case = registry.one(settings().use_cases, arguments.use_case)
    if arguments.look:
        side, folder, batch = arguments.look
        look(use_case, side, Path(folder), int(batch))
        return
    with tempfile.TemporaryDirectory() as scratch, server("warehouse") as addresses:
        warehouse = Warehouse(addresses["warehouse"], settings().sql)
        migrate(warehouse.dsn, settings().sql / "migrations")
        batches = dict(drift_batches.prepare(warehouse, use_case, Path(scratch), arguments.rows, arguments.learned))
        wanted = {name: batches[name] for name in arguments.scenario or batches}
        print(f"{use_case.name}: {arguments.rows:,} current rows, {arguments.learned:,} training rows", flush=True)
        seen: dict[str, list[Run]] = {side: [] for side in SIDES}
        for name, batch in wanted.items():
            for side, runs in seen.items():
                runs.append(run(warehouse, use_case, side, Path(scratch), batch))
            report(name, {side: runs[-1] for side, runs in seen.items()})
        total(seen)


def report(name: str, seen: dict[str, Run]) -> None:
    """Print one scenario."""
    print(f"\n{name}")
    for side, found in seen.items():
        print(
            f"  {side:22} cpu {found.cpu:6.2f} s, of which imports {found.imports:5.2f} s"
            f"  wall {found.wall:6.2f} s  peak {found.peak_mb:5.0f} MB"
        )
    ours, theirs = seen[OURS].drifted, seen[THEIRS].drifted
    drifted = [column for column, verdict in ours.items() if verdict]
    others = [column for column, verdict in ours.items() if theirs[column] != verdict]
    same = f"other ones on {', '.join(others)}" if others else "the same"
    print(f"  verdicts on {len(ours)} columns: {same}; drifted: {', '.join(drifted) or 'none'}", flush=True)


def total(seen: dict[str, list[Run]]) -> None:
    """Print what all scenarios say together; of CPU the smallest, which is least disturbed."""
    ours = seen[OURS]
    print(f"\n{len(ours)} scenarios; smallest CPU of each side, peak memory, how often the verdicts are the same")
    for side, runs in seen.items():
        whole, work = (min(r.cpu for r in runs), min(r.cpu - r.imports for r in runs))
        times = whole / min(r.cpu for r in ours), work / min(r.cpu - r.imports for r in ours)
        same = sum(a.drifted == b.drifted for a, b in zip(ours, runs, strict=True))
        print(
            f"  {side:22} imports counted {whole:6.2f} s, {times[0]:5.1f} of ours; imported already {work:6.2f} s,"
            f" {times[1]:5.1f} of ours; {max(r.peak_mb for r in runs):5.0f} MB; the same in {same} of {len(ours)}"
        )


def run(warehouse: Warehouse, use_case: UseCase, side: str, folder: Path, batch: int) -> Run:
    """Let one side look at a batch in a process of its own."""
    given = ["--use-case", use_case.name, "--look", side, str(folder), str(batch)]
    with closing(psycopg2.connect(warehouse.dsn)) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    if postmaster is None:
        raise SystemExit("the server is not on this machine")
    before, start = _ended(postmaster), time.perf_counter()
    environment = os.environ | {"SLUICE_WAREHOUSE_DSN": warehouse.dsn}
    ended = subprocess.run([sys.executable, __file__, *given], env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603
    wall = time.perf_counter() - start
    found = Run(**json.loads(ended.stdout.splitlines()[-1]))
    return replace(found, cpu=found.cpu + _ended(postmaster) - before, wall=wall)


def look(use_case: UseCase, side: str, folder: Path, batch: int) -> None:
    """One side's look, measured from within; printed as JSON."""
    warehouse = Warehouse(settings().warehouse_dsn, settings().sql)
    drifted, imports = SIDES[side](warehouse, use_case, folder, batch)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    # Of this program alone: what getrusage calls the peak may be that of the process that started it.
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    print(json.dumps(asdict(Run(drifted, imports, _used(), 0.0, peak / 1024))))


def ours(warehouse: Warehouse, use_case: UseCase, folder: Path, batch: int) -> tuple[dict[str, bool | None], float]:
    """The check as the DAG's task makes it."""
    from sluice.adapters import bundles
    from sluice.monitoring import drift, sampling, windows

    sampling.load()
    imports = _used()
    bundle = bundles.read(folder / "bundle")
    found = drift.check(warehouse, use_case, bundle, VERSION, windows.of_batch(batch), datetime.now(UTC))
    if found.html is None:
        raise SystemExit(found.message)
    return {column.column: column.drifted for column in found.columns}, imports


def theirs(
    read: Callable[[Warehouse, UseCase, int], pd.DataFrame],
    warehouse: Warehouse,
    use_case: UseCase,
    folder: Path,
    batch: int,
) -> tuple[dict[str, bool | None], float]:
    """Evidently's report and tests, on all rows of both sides."""
    import pandas as pd

    from sluice.monitoring import drift, sampling

    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    imports = _used()
    names = drift_batches.names(use_case)
    numbers = [name for name in names if drift.scale(use_case, name) == "numerical"]
    others = [name for name in names if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others)
    policy = use_case.monitoring
    preset = DataDriftPreset(
        drift_share=policy.max_drifted_share,
        num_method="wasserstein",
        num_threshold=policy.drift.numerical,
        cat_method="jensenshannon",
        cat_threshold=policy.drift.categorical,
    )
    reference, current = pd.read_parquet(folder / "learned.parquet"), read(warehouse, use_case, batch)
    snapshot = Report([preset], include_tests=True).run(
        Dataset.from_pandas(current[names], data_definition=definition),
        Dataset.from_pandas(reference[names], data_definition=definition),
    )
    snapshot.get_html_str(as_iframe=False)
    found = sampling.parse(snapshot.dict())
    return {name: found[name].drifted for name in names}, imports


SIDES = {
    OURS: ours,
    THEIRS: partial(theirs, drift_batches.by_pandas),
    FASTER: partial(theirs, drift_batches.by_arrow),
}


def _used() -> float:
    own = os.times()
    return own.user + own.system


def _ended(postmaster: psutil.Process) -> float:
    """CPU seconds of the server's sessions that have ended."""
    time.sleep(0.3)
    times = postmaster.cpu_times()
    return float(times.children_user + times.children_system)


if __name__ == "__main__":
    main()
