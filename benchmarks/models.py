"""How good the shipped use cases' models are on the public data: `python benchmarks/models.py [--write PATH]`.

Nested: for each of five outer folds, which are the test share rotated by the row's own hash, everything is chosen
on the other rows alone (imputation, clusters, family, hyper-parameters, calibration), by the same code that the
training DAG runs, and the fold's rows are scored once, by the graph that would be served. Files go through the
real ingestion into a Postgres server of this benchmark's own.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from rich.console import Console
from rich.table import Table
from throwaway import server

from sluice import registry
from sluice.adapters.metrics import measure
from sluice.adapters.migrations import migrate
from sluice.adapters.warehouse import Warehouse
from sluice.domain.contract import Lineage
from sluice.domain.evidence import Check, Subject
from sluice.domain.use_case import UseCase
from sluice.gate import quality
from sluice.gate.rows import MOST_TRAIN_ROWS
from sluice.gate.rows import Rows as GateRows
from sluice.ingestion import acceptance, batches, sources, tables
from sluice.settings import settings
from sluice.training import candidate, search
from sluice.training.choices import choose
from sluice.training.snapshots import Rows

FOLDS = 5
#: Checks of the rows, which say nothing of a model.
OF_ROWS = {"test_rows", "train_rows", "overlap"}
#: The metrics that are told, by task, in order.
TOLD = {
    "regression": ("r2", "rmse", "mae", "mape"),
    "binary": ("roc_auc", "f1", "accuracy", "log_loss", "calibration_error"),
    "multiclass": ("accuracy", "f1", "roc_auc", "log_loss"),
}


@dataclass(frozen=True)
class Outcome:
    """What one outer fold came to.

    Attributes:
        family: Of the model that was chosen.
        checks: What the gate says of the test rows, by code.
        covered: Share of the test rows that the interval or the prediction set covers.
        seconds: For choosing, searching and fitting, in one thread.
    """

    use_case: str
    fold: int
    train_rows: int
    test_rows: int
    trials: int
    family: str
    metrics: dict[str, float]
    checks: dict[str, Check]
    covered: float | None
    seconds: float

    def __str__(self) -> str:
        names = [name for name in ("r2", "mape", "roc_auc", "f1") if name in self.metrics]
        told = ", ".join(f"{name} {self.metrics[name]:.4g}" for name in names)
        return f"{self.use_case} fold {self.fold}: {self.family}, {told}, {self.seconds:.0f} s"


def main() -> None:
    """Print the table, and write it where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("SLUICE_REAL_DATA", "../shared/data"))
    parser.add_argument("--use-case", action="append", help="only this one; may be given more than once")
    parser.add_argument("--trials", type=int, default=30, help="in each outer fold")
    parser.add_argument("--folds", type=int, default=FOLDS, help=f"how many of the {FOLDS} outer folds")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--write", type=Path, help="the page to write, for example docs/models.md")
    arguments = parser.parse_args()
    known = registry.find(settings().use_cases).use_cases
    chosen = [u for u in known if u.source.real_data and (not arguments.use_case or u.name in arguments.use_case)]
    with tempfile.TemporaryDirectory(prefix="sluice-models-") as scratch:
        frames = {u.name: Path(scratch) / f"{u.name}.parquet" for u in chosen}
        with server("warehouse") as addresses:
            for use_case in chosen:
                ingested(addresses["warehouse"], use_case, arguments.data).to_parquet(frames[use_case.name])
        outcomes: list[Outcome] = []
        console = Console(stderr=True)
        with ProcessPoolExecutor(arguments.processes) as pool:
            jobs = [
                pool.submit(run, use_case, frames[use_case.name], fold, arguments.trials)
                for use_case in chosen
                for fold in range(arguments.folds)
            ]
            for job in jobs:
                outcomes.append(job.result())
                console.print(f"{outcomes[-1]}", soft_wrap=True)
    page = report(chosen, outcomes, arguments.trials, arguments.folds)
    if arguments.write:
        arguments.write.write_text(page, encoding="utf-8")
    show(chosen, outcomes)


def ingested(dsn: str, use_case: UseCase, data: Path) -> pd.DataFrame:
    """The validated rows of a public file, with their identity."""
    file = data / str(use_case.source.real_data)
    warehouse = Warehouse(dsn, settings().sql)
    migrate(dsn, settings().sql / "migrations")
    tables.ensure(warehouse, use_case)
    folder = settings().use_cases / use_case.name
    with sources.resolve(use_case, folder, str(file.resolve())) as source:
        batch = batches.land(warehouse, use_case, source)
    acceptance.judge(warehouse, use_case, batch.batch_id)
    statement = warehouse.statement("training/rows", view=("validated", use_case.name), columns=_columns(use_case))
    rows: pd.DataFrame = warehouse.arrow(statement).to_pandas()
    return rows


def _columns(use_case: UseCase) -> object:
    from psycopg2 import sql

    return sql.SQL(", ").join(sql.Identifier(column.name) for column in use_case.columns)


def rotated(use_case: UseCase, frame: pd.DataFrame, fold: int) -> pd.DataFrame:
    """The rows divided as ever, but with the hash turned by so many fifths; no row is a test row twice."""
    split = use_case.training.split
    share = frame["_identity"].str[:8].map(lambda digits: int(digits, 16) / 2**32).to_numpy()
    turned = (share - fold / FOLDS) % 1
    cuts = [1 / FOLDS, 1 / FOLDS + split.calibration]
    parts = np.array(["test", "calibration", "train"])[np.digitize(turned, cuts)]
    return frame.assign(_part=parts)


def run(use_case: UseCase, path: Path, fold: int, trials: int) -> Outcome:
    """Choose, search, fit and score one outer fold."""
    logging.disable(logging.WARNING)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    frame = rotated(use_case, pd.read_parquet(path), fold)
    rows = Rows.of(use_case, frame)
    begun = time.perf_counter()
    findings = choose(use_case, rows.train)
    study = search.open_study(use_case, f"fold-{fold}", optuna.storages.InMemoryStorage(), findings)
    search.run(use_case, rows.train, study, trials)
    found = search.result(use_case, study)
    lineage = Lineage(
        run_id="", snapshot_id="", spec_sha256="", test_share=1 / FOLDS, identity=use_case.identity, git_commit=None
    )
    with tempfile.TemporaryDirectory() as folder:
        made = candidate.make(use_case, rows, found.choices, found.best, lineage, "", Path(folder))
        seconds = time.perf_counter() - begun
        subject = Subject(
            use_case=use_case.name,
            version=1,
            bundle_sha256=made.bundle.sha256,
            champion_version=None,
            champion_bundle_sha256=None,
        )
        evidence = quality.judge(use_case, subject, made.bundle, None, judged(frame))
    contract = made.bundle.contract
    promised = contract.interval or contract.prediction_set
    return Outcome(
        use_case=use_case.name,
        fold=fold,
        train_rows=len(rows.train),
        test_rows=len(rows.test),
        trials=len(found.attempts),
        family=found.best.family,
        metrics=measure(use_case.task, rows.test.target, made.predicted),
        checks={check.code: check for check in evidence.checks if check.limit and check.code not in OF_ROWS},
        covered=promised.coverage if promised else None,
        seconds=seconds,
    )


def judged(frame: pd.DataFrame) -> GateRows:
    """The rows as the gate reads them; equal rows are on one side of every cut."""
    parts = {name: rows.reset_index(drop=True) for name, rows in frame.groupby("_part")}
    learned = parts["train"].sort_values("_identity", kind="stable", ignore_index=True).head(MOST_TRAIN_ROWS)
    return GateRows(test=parts["test"].assign(_repeated=False), train=learned)


def report(use_cases: Sequence[UseCase], outcomes: Sequence[Outcome], trials: int, folds: int) -> str:
    """The page, as Markdown."""
    parts = [
        "# The models on the public data",
        f"Written by `make bench-models` with Python {platform.python_version()}, not by hand.",
        f"Nested cross-validation: {folds} outer folds of a fifth of the rows each, cut by the rows' own hashes so "
        f"that duplicates stay together. In each, imputation, clusters, family, hyper-parameters (at most {trials} "
        "trials) and calibration are chosen on the other rows alone, by the code that the training DAG runs, and the "
        "fold's rows are scored once, by the graph that would be served. A single split is not the mean: one "
        "training through Airflow lands somewhere within the spread.",
    ]
    for use_case in use_cases:
        own = [o for o in outcomes if o.use_case == use_case.name]
        parts += [f"## {use_case.title}", _facts(own), _scores(use_case, own), _verdicts(own)]
    return "\n\n".join(parts) + "\n"


def _facts(outcomes: Sequence[Outcome]) -> str:
    families = ", ".join(sorted({o.family for o in outcomes}))
    seconds = np.array([o.seconds for o in outcomes])
    covered = [o.covered for o in outcomes if o.covered is not None]
    promise = f" Its 90 % intervals or sets held {np.mean(covered):.1%} of the test rows." if covered else ""
    return (
        f"{outcomes[0].train_rows:,} rows to learn from and {outcomes[0].test_rows:,} to score in the first fold. "
        f"Chosen: {families}. {np.mean([o.trials for o in outcomes]):.0f} trials and the final fit took "
        f"{seconds.mean():,.0f} s in one thread ({seconds.min():,.0f} to {seconds.max():,.0f}).{promise}"
    )


def _scores(use_case: UseCase, outcomes: Sequence[Outcome]) -> str:
    lines = ["| metric | mean | spread (sd) | lowest | highest |", "|---|---|---|---|---|"]
    for name in TOLD[use_case.task]:
        values = np.array([o.metrics[name] for o in outcomes])
        numbers = " | ".join(_number(v) for v in (values.mean(), values.std(), values.min(), values.max()))
        lines.append(f"| {name} | {numbers} |")
    return "\n".join(lines)


def _verdicts(outcomes: Sequence[Outcome]) -> str:
    """What the gate asks for, what the folds reached, and in how many of them it would have said yes."""
    lines = [
        "What the gate would have said of each fold's model, on the fold's rows:",
        "",
        "| check | mean | spread (sd) | the gate asks for | passes |",
        "|---|---|---|---|---|",
    ]
    for code in dict.fromkeys(code for o in outcomes for code in o.checks):
        checks = [o.checks[code] for o in outcomes if code in o.checks]
        values = np.array([check.value for check in checks if check.value is not None])
        passed = sum(check.verdict == "pass" for check in checks)
        numbers = f"{_number(values.mean())} | {_number(values.std())}" if len(values) else "could not tell | "
        lines.append(f"| `{code}` | {numbers} | {checks[0].limit} | {passed} of {len(checks)} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4f}"


def show(use_cases: Sequence[UseCase], outcomes: Sequence[Outcome]) -> None:
    """Print means and spreads."""
    table = Table("use case", "metric", "mean", "sd", "folds")
    for use_case in use_cases:
        own = [o for o in outcomes if o.use_case == use_case.name]
        for name in TOLD[use_case.task]:
            values = np.array([o.metrics[name] for o in own])
            folds = " ".join(_number(v) for v in values)
            table.add_row(use_case.name, name, _number(values.mean()), _number(values.std()), folds)
    Console().print(table)


if __name__ == "__main__":
    main()
