"""Whole trainings of each task, small enough to make in no time: what was found, and the candidate made of it."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sluice.domain.contract import Lineage
from sluice.domain.measures import Task
from sluice.domain.search import Family
from sluice.domain.use_case import UseCase
from sluice.training import candidate
from sluice.training.candidate import Candidate
from sluice.training.choices import Choices, Findings, choose
from sluice.training.search import Attempt, SearchResult
from sluice.training.snapshots import Rows, Snapshot
from tests.unit.training.conftest import SPEC, make_rows

LABELS: dict[Task, tuple[str, ...]] = {"binary": ("dear", "fair"), "multiclass": ("cheap", "fair", "dear")}
LINEAGE = Lineage(
    run_id="run", snapshot_id="feed" * 4, spec_sha256="0" * 64, test_share=0.2, identity=("area",), code_sha256="c" * 64
)
BEGUN = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
FAMILIES: dict[Task, Family] = {"regression": "ridge", "binary": "logistic_regression", "multiclass": "ridge"}
SETTLED = Choices("median", {"size": 3})
#: Of the classes' names, what people call them.
TITLES = {"fair": "Fair rent", "dear": "Dear"}


@dataclass(frozen=True)
class Training:
    """Everything that a training hands to its journal."""

    use_case: UseCase
    rows: Rows
    result: SearchResult
    snapshot: Snapshot
    candidate: Candidate


def use_case_of(task: Task, **training: Any) -> UseCase:
    """The flats, with a class of rents for the target where the task has classes."""
    document = dict(SPEC)
    clusters = {"name": "size", "columns": ["area", "rooms"], "k": [2, 4]}
    document["features"] = {**SPEC["features"], "impute": "auto", "clusters": [clusters]}
    document["training"] = {**SPEC["training"], **training}
    if task != "regression":
        rent = {"name": "rent", "type": "category", "categories": LABELS[task]}
        document["columns"] = [rent if c["name"] == "rent" else c for c in SPEC["columns"]]
        document["gate"] = {**SPEC["gate"], "thresholds": {"accuracy": {"min": 0.5}}}
        document["labels"] = TITLES
        document["training"]["target_transform"] = "none"
    if task == "binary":
        document["positive_label"] = "dear"
    return UseCase.model_validate_json(json.dumps({**document, "task": task}))


def rows_of(use_case: UseCase, count: int, seed: int = 0) -> Rows:
    """Rows of flats; a class is a share of the rents, each as large as the others."""
    frame = make_rows(count, seed)
    if use_case.classes:
        names = {"binary": ("fair", "dear"), "multiclass": ("cheap", "fair", "dear")}[use_case.task]
        edges = np.quantile(frame["rent"], np.linspace(0, 1, len(names) + 1)[1:-1])
        frame["rent"] = [names[i] for i in np.searchsorted(edges, frame["rent"])]
    return Rows.of(use_case, frame)


def attempts_of(task: Task, count: int = 14) -> tuple[Attempt, ...]:
    """A search's trials in the order they were begun: each fourth is given up, and the second family is worse."""
    first, second = FAMILIES[task], "hist_gradient_boosting"

    def attempt(number: int) -> Attempt:
        is_second, is_pruned = number % 4 == 1, number % 4 == 3
        alpha = 0.01 * 1.7**number
        parameters: dict[str, int | float | str] = {"C" if first == "logistic_regression" else "alpha": alpha}
        if is_second:
            parameters = {"max_iter": 10 + number, "max_leaf_nodes": 7}
        mean = 1.0 + abs(number - 8) / 10 + is_second
        scores = (mean,) if is_pruned else (mean - 0.1, mean, mean + 0.1)
        begun = BEGUN + timedelta(seconds=10 * number)
        return Attempt(
            number=number,
            family=second if is_second else first,
            parameters=parameters,
            scores=scores,
            seconds=9.5,
            begun=begun,
            finished=begun + timedelta(seconds=9.5),
            state="pruned" if is_pruned else "complete",
        )

    return tuple(attempt(number) for number in range(count))


def result_of(use_case: UseCase, findings: Findings) -> SearchResult:
    """What a search found; trial 8 is the best."""
    attempts = attempts_of(use_case.task)
    return SearchResult("study", use_case.search_metric, attempts[8], attempts, findings)


def make(use_case: UseCase, rows: Rows, best: Attempt, folder: Path, choices: Choices = SETTLED) -> Candidate:
    """A candidate as a training makes it."""
    return candidate.make(use_case, rows, choices, best, LINEAGE, "f" * 64, folder)


@cache
def training(task: Task, count: int = 600) -> Training:
    """A training of a task, made once."""
    use_case = use_case_of(task)
    rows = rows_of(use_case, count)
    result = result_of(use_case, choose(use_case, rows.train))
    parts = [len(part) for part in (rows.train, rows.calibration, rows.test)]
    snapshot = Snapshot("feed" * 4, "flats", "file:///store/feed.parquet", "0" * 64, count, 1000, *parts, (1,))
    folder = Path(tempfile.mkdtemp(prefix="sluice-training-"))
    atexit.register(shutil.rmtree, folder)
    return Training(use_case, rows, result, snapshot, make(use_case, rows, result.best, folder, result.choices))


def scored(metric: str, result: SearchResult) -> SearchResult:
    """The same search under a metric of which more is better: what was 1.2 is -1.2."""
    turned = tuple(replace(a, scores=tuple(-s for s in a.scores)) for a in result.attempts)
    return replace(result, metric=metric, attempts=turned, best=turned[result.best.number])


def differing(attempts: tuple[Attempt, ...]) -> Iterator[Attempt]:
    """Attempts whose first hyper-parameter alone moves the score, and whose second is noise."""
    draw = np.random.default_rng(0)
    for attempt in attempts:
        first, second = float(draw.uniform(0.1, 10)), float(draw.uniform(0.1, 10))
        yield replace(
            attempt,
            family="hist_gradient_boosting",
            parameters={"learning_rate": first, "l2_regularization": second},
            scores=(first, first),
            state="complete",
        )
