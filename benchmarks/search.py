"""A search by one worker and by several, side by side: `python benchmarks/search.py [--workers N] [--trials N]`.

The trials cost about the same each: boosting of one size, none given up. They are scored on the housing sample, and
live in a Postgres server of this benchmark's own. Each worker is a process with one thread, and they are timed from
the moment when all have loaded their rows to the end of the last trial. What keeps the ratio below the number of
workers: the last trial, which the others wait for; the turns in which proposals are drawn, about a tenth of a second
each; and cores that share their caches and memory. On a machine that does other work it says nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import multiprocessing
import os
import tempfile
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pandas as pd
from throwaway import server

from sluice import registry
from sluice.domain.use_case import UseCase
from sluice.ingestion import samples
from sluice.settings import settings
from sluice.training import search, studies
from sluice.training.choices import choose
from sluice.training.snapshots import Rows

#: What is searched: only what changes a trial's cost little.
SPACE = {
    "hist_gradient_boosting": {
        "learning_rate": {"low": 0.03, "high": 0.2, "log": True},
        "l2_regularization": {"low": 0.0001, "high": 10.0, "log": True},
        "max_iter": 200,
        "max_leaf_nodes": 31,
    }
}


def main() -> None:
    """Print the seconds of each round, and the ratio of the smallest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=12_000)
    arguments = parser.parse_args()
    use_case = simple(arguments.trials)
    seen: dict[int, list[float]] = {1: [], arguments.workers: []}
    with tempfile.TemporaryDirectory(prefix="sluice-search-") as scratch, server("optuna") as addresses:
        path = Path(scratch) / "rows.parquet"
        sample(use_case, arguments.rows, Path(scratch) / "rows.csv").to_parquet(path)
        for number in range(arguments.rounds):
            for workers, seconds in seen.items():
                seconds.append(timed(use_case, path, addresses["optuna"], f"{number}-{workers}", workers))
                print(f"round {number + 1}: {workers} workers, {arguments.trials} trials in {seconds[-1]:.1f} s")
    ratio = min(seen[1]) / min(seen[arguments.workers])
    print(f"{os.cpu_count()} cores; {arguments.workers} workers are {ratio:.2f} times as fast as one (smallest times)")


def simple(trials: int) -> UseCase:
    """Housing, with trials that cost the same and nothing to settle before them."""
    document = registry.find(settings().use_cases).get("housing").model_dump(mode="json")
    document["features"] |= {"impute": "median", "clusters": []}
    document["training"] |= {"families": SPACE, "trials": trials, "pruner": "none", "time_limit_minutes": 60}
    return UseCase.model_validate_json(json.dumps(document))


def sample(use_case: UseCase, rows: int, path: Path) -> pd.DataFrame:
    """The sample's rows, all of them to train on."""
    samples.write(path, samples.read(settings().use_cases / use_case.name), use_case.columns, rows=rows)
    frame = pd.read_csv(path).rename(columns={c.source_header: c.name for c in use_case.columns})
    hashes = [hashlib.md5(str(row).encode(), usedforsecurity=False).hexdigest() for row in range(len(frame))]
    return frame.assign(_identity=hashes, _part=np.where(np.arange(len(frame)) < 1, "test", "train"))


def timed(use_case: UseCase, path: Path, dsn: str, snapshot_id: str, workers: int) -> float:
    """Seconds until the last trial of a new study is finished, once every worker is ready."""
    train = Rows.of(use_case, pd.read_parquet(path)).train
    with studies.storage(dsn) as database:
        search.open_study(use_case, snapshot_id, database, choose(use_case, train))
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(workers + 1)
    given = (use_case.model_dump_json(), path, dsn, snapshot_id, ready)
    processes = [context.Process(target=work, args=given) for _ in range(workers)]
    for process in processes:
        process.start()
    ready.wait(300)
    begun = datetime.now(UTC)
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a worker failed; see above")
    with studies.storage(dsn) as database:
        attempts = search.read(use_case, snapshot_id, database).attempts
    return (max(attempt.finished for attempt in attempts) - begun).total_seconds()


def work(spec: str, path: Path, dsn: str, snapshot_id: str, ready: Barrier) -> None:
    """One worker, once all are ready."""
    logging.disable(logging.WARNING)
    use_case = UseCase.model_validate_json(spec)
    train = Rows.of(use_case, pd.read_parquet(path)).train
    with studies.storage(dsn) as database:
        study = studies.get(use_case, snapshot_id, database)
        ready.wait(300)
        search.run(use_case, train, study)


if __name__ == "__main__":
    main()
