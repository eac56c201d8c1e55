"""The daily drift check against Evidently on all rows, side by side: `make bench BENCH=drift`.

Both look at the same rows of the same batches in a Postgres server of the benchmark's own, in turns, each time in a
process that does nothing else. CPU is that process's, imports included, and the server's. Evidently reads its rows
as Arrow, the fastest way there is here. It is asked as its documentation shows, by its preset for drift with tests and
page, and is told the same distances and thresholds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg2
from psycopg2 import sql
from throwaway import server

from sluice import registry
from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.settings import settings

if TYPE_CHECKING:
    import pandas as pd

OURS, THEIRS = "the daily check", "Evidently on all rows"
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
    use_case = registry.find(settings().use_cases).get(arguments.use_case)
    if arguments.look:
        side, folder, batch = arguments.look
        look(use_case, side, Path(folder), int(batch))
        return
    with tempfile.TemporaryDirectory() as scratch, server("warehouse") as addresses:
        warehouse = Warehouse(addresses["warehouse"], settings().sql)
        migrate(warehouse.dsn, settings().sql / "migrations")
        batches = dict(prepare(warehouse, use_case, Path(scratch), arguments.rows, arguments.learned))
        wanted = {name: batches[name] for name in arguments.scenario or batches}
        print(f"{use_case.name}: {arguments.rows:,} current rows, {arguments.learned:,} training rows", flush=True)
        seen = {OURS: [], THEIRS: []}  # type: dict[str, list[Run]]
        for name, batch in wanted.items():
            for side, runs in seen.items():
                runs.append(run(warehouse, use_case, side, Path(scratch), batch))
            report(name, seen[OURS][-1], seen[THEIRS][-1])
        total(seen[OURS], seen[THEIRS])


def report(name: str, ours: Run, theirs: Run) -> None:
    """Print one scenario."""
    print(f"\n{name}")
    for side, found in ((OURS, ours), (THEIRS, theirs)):
        print(
            f"  {side:22} cpu {found.cpu:6.2f} s, of which imports {found.imports:5.2f} s"
            f"  wall {found.wall:6.2f} s  peak {found.peak_mb:5.0f} MB"
        )
    drifted = [column for column, verdict in ours.drifted.items() if verdict]
    others = [column for column, verdict in ours.drifted.items() if theirs.drifted[column] != verdict]
    same = f"other ones on {', '.join(others)}" if others else "the same"
    print(f"  verdicts on {len(ours.drifted)} columns: {same}; drifted: {', '.join(drifted) or 'none'}", flush=True)


def total(ours: list[Run], theirs: list[Run]) -> None:
    """Print what all scenarios say together; of CPU the smallest, which is least disturbed."""
    whole = min(r.cpu for r in ours), min(r.cpu for r in theirs)
    work = min(r.cpu - r.imports for r in ours), min(r.cpu - r.imports for r in theirs)
    same = sum(a.drifted == b.drifted for a, b in zip(ours, theirs, strict=True))
    print(f"\n{len(ours)} scenarios; smallest CPU of each side")
    print(f"imports counted:   {whole[0]:6.2f} s of {whole[1]:6.2f} s, {whole[1] / whole[0]:.1f} times less")
    print(f"imported already:  {work[0]:6.2f} s of {work[1]:6.2f} s, {work[1] / work[0]:.1f} times less")
    print(f"peak memory:       {max(r.peak_mb for r in ours):.0f} MB, and {max(r.peak_mb for r in theirs):.0f} MB")
    print(f"same verdicts:     {same} of {len(ours)} scenarios")


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
    drifted, imports = (ours if side == OURS else theirs)(warehouse, use_case, folder, batch)
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


def theirs(warehouse: Warehouse, use_case: UseCase, folder: Path, batch: int) -> tuple[dict[str, bool | None], float]:
    """Evidently's report and tests, on all rows of both sides."""
    import pandas as pd

    from sluice.monitoring import drift, sampling

    os.environ.setdefault("DO_NOT_TRACK", "1")
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    imports = _used()
    names = [column.name for column in use_case.inputs] + [use_case.target]
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
    reference, current = pd.read_parquet(folder / "learned.parquet"), rows(warehouse, use_case, names, batch)
    snapshot = Report([preset], include_tests=True).run(
        Dataset.from_pandas(current[names], data_definition=definition),
        Dataset.from_pandas(reference[names], data_definition=definition),
    )
    snapshot.get_html_str(as_iframe=False)
    found = sampling.parse(snapshot.dict())
    return {name: found[name].drifted for name in names}, imports


def rows(warehouse: Warehouse, use_case: UseCase, names: list[str], batch: int) -> pd.DataFrame:
    """A batch's rows as Arrow brings them; a class by its name."""
    table = sql.Identifier("landing", use_case.name)
    classes = use_case.target if use_case.classes else None
    cells = [sql.SQL("{0}::text AS {0}" if n == classes else "{0}").format(sql.Identifier(n)) for n in names]
    statement = sql.SQL("SELECT {} FROM {} WHERE _batch_id = {}").format(
        sql.SQL(", ").join(cells), table, sql.Literal(batch)
    )
    return warehouse.arrow(statement).to_pandas()


def prepare(
    warehouse: Warehouse, use_case: UseCase, scratch: Path, count: int, learned: int
) -> Iterator[tuple[str, int]]:
    """A release that learned from one sample, and batches of another: as it is, and changed in one way each."""
    from sluice.adapters import bundles, histograms
    from sluice.domain.contract import Golden

    names = [column.name for column in use_case.inputs] + [use_case.target]
    contract = _contract(use_case)
    known = rows(warehouse, use_case, names, _land(warehouse, use_case, scratch, learned, seed=1))
    known = known.assign(prediction=known[use_case.target])
    known.to_parquet(scratch / "learned.parquet", index=False)
    sample = known.sample(min(learned, use_case.monitoring.sample_rows), random_state=0)
    frozen = histograms.freeze(contract, known)
    golden = Golden(instances=(), predictions=())
    bundles.write(scratch / "bundle", b"", contract, golden, sample, histograms=frozen)
    clean = _land(warehouse, use_case, scratch, count, seed=2)
    yield "clean", clean
    numbers = [c for c in use_case.inputs if c.type in ("number", "integer")]
    number = numbers[0].name
    spread = f"(SELECT stddev({number}) FROM landing.{use_case.name})"  # noqa: S608 - the spec's own names
    kind = "bigint" if numbers[0].type == "integer" else "double precision"
    yield "one number shifted", _changed(warehouse, use_case, clean, {number: f"({number} + 0.5 * {spread})::{kind}"})
    category = next((c for c in use_case.inputs if c.type == "category"), None)
    if category is not None and category.categories:
        label = category.categories[0].replace("'", "''")
        mixed = f"CASE WHEN _row % 5 = 0 THEN '{label}' ELSE {category.name} END"
        yield "category mix changed", _changed(warehouse, use_case, clean, {category.name: mixed})
    slow = {c.name: f"{c.name} * (1 + 0.6 * _row / {count})" for c in numbers if c.type == "number"}
    yield "slow drift", _changed(warehouse, use_case, clean, slow)
    spike = {number: f"CASE WHEN _row % 10 = 0 THEN (6 * {spread})::{kind} ELSE {number} END"}
    yield "spike at one value", _changed(warehouse, use_case, clean, spike)


def _land(warehouse: Warehouse, use_case: UseCase, scratch: Path, count: int, seed: int) -> int:
    from sluice.ingestion import batches, samples, sources

    folder = settings().use_cases / use_case.name
    path = scratch / f"{seed}.csv"
    samples.write(path, samples.read(folder), use_case.columns, rows=count, seed=seed)
    with sources.resolve(use_case, path.parent, path.name) as source:
        batch = batches.land(warehouse, use_case, source)
    path.unlink()
    return _accept(warehouse, batch.batch_id)


def _changed(warehouse: Warehouse, use_case: UseCase, clean: int, changes: dict[str, str]) -> int:
    """A copy of a batch in which some columns are something else."""
    copied = warehouse.rows(
        "INSERT INTO ingest.batches (use_case, source_uri, sha256, bytes, rows, status)"
        " SELECT use_case, source_uri, sha256 || random()::text, bytes, rows, status FROM ingest.batches"
        " WHERE batch_id = %(clean)s RETURNING batch_id",
        {"clean": clean},
    )
    batch: int = copied[0]["batch_id"]
    names = ", ".join(column.name for column in use_case.columns)
    values = ", ".join(changes.get(column.name, column.name) for column in use_case.columns)
    landing = f"landing.{use_case.name}"
    partition = f"{landing}_changed_{batch}"
    warehouse.execute(f"CREATE TABLE {partition} PARTITION OF {landing} FOR VALUES IN ({batch})")
    source = f"SELECT {values}, {batch}, _row FROM {landing} WHERE _batch_id = {clean}"  # noqa: S608 - as above
    warehouse.execute(f"INSERT INTO {partition} ({names}, _batch_id, _row) {source}")
    return _accept(warehouse, batch)


def _accept(warehouse: Warehouse, batch: int) -> int:
    accepted = "UPDATE ingest.batches SET status = 'accepted', quarantined = 0, current_since = now()"
    warehouse.execute(f"{accepted} WHERE batch_id = %(batch)s", {"batch": batch})
    with closing(psycopg2.connect(warehouse.dsn)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    return batch


def _contract(use_case: UseCase) -> Any:
    from sluice.domain.contract import Contract, Input, Label, Limits, Lineage, Output

    return Contract(
        use_case=use_case.name,
        title=use_case.title,
        task=use_case.task,
        family="none",
        inputs=tuple(Input(name=c.name, type=c.type) for c in use_case.inputs if c.type != "timestamp"),
        output=Output(name=use_case.target, labels=tuple(Label(value=c, title=c) for c in use_case.classes)),
        limits=Limits(max_instances=1, missing="reject", unknown_fields="reject", unseen_category="ignore"),
        example=use_case.serving.example,
        metrics={},
        lineage=Lineage(run_id="", snapshot_id="", spec_sha256="", test_share=0.0, identity=()),
        libraries={},
        runtime_sha256="",
        trained_at="2026-01-01T00:00:00+00:00",
    )


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
